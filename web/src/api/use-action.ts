// State of a button that sends a change to the API: disabled during the request and while the key lacks the
// scope "operate", with the reason of the last refusal.
import { useState } from 'hono/jsx/dom'
import { useObservable } from '../parts/observable.ts'
import type { Access } from './access.ts'
import type { ApiResponse } from './api-response.ts'

export interface Action {
  /** Value for `aria-disabled`. */
  isDisabled: boolean
  /** Why the last change was refused; empty if it was not. */
  refusal: string
  /** Performs the change unless the button is disabled. Resolves with true if the API accepted it. */
  press(event: MouseEvent, perform: () => Promise<ApiResponse<unknown>>): Promise<boolean>
}

export function useAction(access: Access): Action {
  const isAllowed = !useObservable(access.state).missingScopes.includes('operate')
  const [isBusy, setIsBusy] = useState(false)
  const [refusal, setRefusal] = useState('')
  const isDisabled = isBusy || !isAllowed
  return { isDisabled, refusal, press }

  async function press(event: MouseEvent, perform: () => Promise<ApiResponse<unknown>>): Promise<boolean> {
    // Ignore the second click of a double click: the button may have changed, so it would undo the change.
    if (isDisabled || event.detail > 1) return false
    setIsBusy(true)
    setRefusal('')
    const response = await perform()
    setIsBusy(false)
    // A missing scope (403) is shown by MissingScopeNotice.
    if (!response.ok && response.fault.status !== 403) setRefusal(response.fault.detail)
    return response.ok
  }
}
