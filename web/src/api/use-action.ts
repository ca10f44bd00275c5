// State of a button that sends a change to the API: whether it is disabled (during the request, and while the
// API key lacks the scope "operate"), and why the last change failed.
import { useState } from 'preact/hooks'
import type { Access } from './access.ts'
import type { ApiResponse } from './api-response.ts'

export interface Action {
  /** Whether `press` ignores clicks; also the value for `aria-disabled`. */
  isDisabled: boolean
  /**
   * Text that says why the last change failed. Empty if it succeeded, or if the API key lacks a scope (403):
   * `MissingScopeNotice` shows that.
   */
  refusal: string
  /** Handles a click: performs the change unless disabled. Resolves with true if the API accepted it. */
  press(event: MouseEvent, perform: () => Promise<ApiResponse<unknown>>): Promise<boolean>
}

export function useAction(access: Access): Action {
  const isAllowed = !access.state.value.missingScopes.includes('operate')
  const [isBusy, setIsBusy] = useState(false)
  const [refusal, setRefusal] = useState('')
  const isDisabled = isBusy || !isAllowed
  return { isDisabled, refusal, press }

  async function press(event: MouseEvent, perform: () => Promise<ApiResponse<unknown>>): Promise<boolean> {
    // Ignore the second click of a double click: the button can already show the opposite action, e.g. Resume
    // instead of Pause, so the click would undo the change.
    if (isDisabled || event.detail > 1) return false
    setIsBusy(true)
    setRefusal('')
    const response = await perform()
    setIsBusy(false)
    // Sets no text after a 403, because `MissingScopeNotice` says which scope the API key lacks.
    if (!response.ok && response.fault.status !== 403) setRefusal(response.fault.detail)
    return response.ok
  }
}
