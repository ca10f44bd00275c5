// What a button needs that asks the API to change something: busy while it does, dead where the key is not good for it,
// and plain about why it was refused.
import { useState } from 'hono/jsx/dom'
import { useObservable } from '../parts/observable.ts'
import type { Access } from './access.ts'
import type { Answer } from './api-answer.ts'

export interface Action {
  /** For `aria-disabled`. */
  isDead: boolean
  /** Why the last one was refused; empty where it was not. */
  refusal: string
  /** Resolves with whether it was done. */
  press(event: MouseEvent, perform: () => Promise<Answer<unknown>>): Promise<boolean>
}

export function useAction(access: Access): Action {
  const isAllowed = !useObservable(access.state).lacking.includes('operate')
  const [isBusy, setIsBusy] = useState(false)
  const [refusal, setRefusal] = useState('')
  const isDead = isBusy || !isAllowed
  return { isDead, refusal, press }

  async function press(event: MouseEvent, perform: () => Promise<Answer<unknown>>): Promise<boolean> {
    // The second click of a double click would undo what the first one did.
    if (isDead || event.detail > 1) return false
    setIsBusy(true)
    setRefusal('')
    const answer = await perform()
    setIsBusy(false)
    // What the key lacks is told by itself.
    if (!answer.ok && answer.fault.status !== 403) setRefusal(answer.fault.detail)
    return answer.ok
  }
}
