// The sensitive values of a task: the API returns a mask in their place, and the values on request.
import type { ComponentChildren } from 'preact'
import { useMemo, useState } from 'preact/hooks'
import { withKey } from '../api/access.ts'
import type { Task } from '../api/api-client.ts'
import type { Page } from '../page.ts'
import { isRecord, stringifyJson } from '../parts/exact-json.ts'

/** What the API returns in place of a sensitive value (src/definitions/sensitive.ts). */
const MASK = '[sensitive]'

export interface SensitiveValues {
  input: Task['input']
  result: Task['result']
  /** Changes when the values are shown or hidden. */
  key: string
  /**
   * Renders the button that shows or hides the sensitive values. Renders nothing if `value` has no masks, or if the
   * API key lacks the scope `reveal`.
   */
  buttonFor: (value: unknown, label: string) => ComponentChildren
}

/** Returns the input and the result of a task: with masks until a person presses “Show”. */
export function useSensitiveValues(page: Page, task: Task): SensitiveValues {
  const [revealed, setRevealed] = useState<Task | null>(null)
  const [fault, setFault] = useState('')
  const isAllowed = !page.access.state.value.missingScopes.includes('reveal')
  const hasMasks = useMemo(() => [task.input, task.result].some(isMasked), [task.input, task.result])
  const shown = isAllowed && hasMasks ? revealed : null
  // The task may have ended, or run again, since its values were read.
  const isCurrent = shown?.attempt === task.attempt && shown.status === task.status
  return {
    input: shown ? shown.input : task.input,
    result: shown && isCurrent ? shown.result : task.result,
    key: shown ? 'shown' : 'masked',
    buttonFor,
  }

  function buttonFor(value: unknown, label: string): ComponentChildren {
    if (!isAllowed || !isMasked(value)) return null
    const isShown = shown !== null
    return (
      <span class="action">
        <span class="action-refusal" role="alert">
          {fault}
        </span>
        <button
          type="button"
          class="button is-quiet is-small"
          aria-label={`${isShown ? 'Hide' : 'Show'} the sensitive values of the ${label}`}
          onClick={isShown ? hide : show}
        >
          {isShown ? 'Hide' : 'Show'}
        </button>
      </span>
    )
  }

  function hide() {
    setRevealed(null)
  }

  async function show() {
    setFault('')
    const response = await withKey(page.access, () => page.api.revealedTask(task.id))
    if (response.ok) setRevealed(response.value)
    // After a 403 the button disappears.
    else if (response.fault.status !== 403) setFault(response.fault.detail)
  }
}

export function isMasked(value: unknown): boolean {
  return stringifyJson(value).includes(`"${MASK}"`)
}

/** Returns the value without its masks, for a form in which a person enters these values again. */
export function withoutMasks(value: unknown): unknown {
  if (value === MASK) return undefined
  if (Array.isArray(value)) return value.map((element) => withoutMasks(element) ?? '')
  if (!isRecord(value) || !isMasked(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== MASK)
      .map(([name, member]) => [name, withoutMasks(member)]),
  )
}
