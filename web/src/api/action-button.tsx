// A button that asks the API to change something: busy while it does, dead where the key is not good for it, and plain
// about why it was refused.
import { useState } from 'hono/jsx/dom'
import { useObservable } from '../parts/observable.ts'
import type { Access } from './access.ts'
import type { Answer } from './api-answer.ts'

export interface ActionButtonProps {
  access: Access
  text: string
  /** What it says to those who do not see what it stands beside. */
  label: string
  perform: () => Promise<Answer<unknown>>
  /** Called when it was done. */
  onDone: () => void
}

export function ActionButton({ access, text, label, perform, onDone }: ActionButtonProps) {
  const isAllowed = !useObservable(access.state).lacking.includes('operate')
  const [isBusy, setIsBusy] = useState(false)
  const [refusal, setRefusal] = useState('')

  async function press(event: MouseEvent) {
    // The second click of a double click would undo what the first one did.
    if (isBusy || !isAllowed || event.detail > 1) return
    setIsBusy(true)
    setRefusal('')
    const answer = await withKey(access, perform)
    setIsBusy(false)
    if (answer.ok) onDone()
    // What the key lacks is told by itself.
    else if (answer.fault.status !== 403) setRefusal(answer.fault.detail)
  }

  return (
    <span class="action">
      <span class="action-refusal" role="alert">
        {refusal}
      </span>
      <button
        type="button"
        class="button is-small"
        aria-label={label}
        aria-disabled={isBusy || !isAllowed ? 'true' : 'false'}
        onClick={press}
      >
        {text}
      </button>
    </span>
  )
}

/** Asks again with the key that the person gives, for as long as the API wants one. */
export async function withKey<T>(access: Access, ask: () => Promise<Answer<T>>): Promise<Answer<T>> {
  let answer = await ask()
  while (!answer.ok && answer.fault.status === 401 && (await access.untilGiven())) answer = await ask()
  return answer
}
