// Whether the API can be reached. One place that notices when it cannot, and that finds out when it can again.

import { createObservable, type Observable } from '../parts/observable.ts'
import type { ApiFault } from './api-answer.ts'
import { createPause, untilVisible } from './pauses.ts'

export type ConnectionState =
  | { isUp: true }
  /** `retryAtMs` by this machine's clock; in the past while a try is under way */
  | { isUp: false; kind: ApiFault['kind']; detail: string; retryAtMs: number }

export interface Connection {
  state: Observable<ConnectionState>
  /** Tells how a request ended. */
  note(fault: ApiFault | null): void
  /** Does not wait for the next try. */
  tryNow(): void
  /** Resolves when the API can be reached, or the signal aborts. */
  untilUp(signal?: AbortSignal): Promise<void>
}

/** @param findFault asks the API whether it can be used */
export function createConnection(findFault: () => Promise<ApiFault | null>): Connection {
  const state = createObservable<ConnectionState>({ isUp: true })
  const pause = createPause()
  let failures = 0
  let heardMs = Date.now()

  // The machine is on a network again.
  addEventListener('online', pause.end)
  void lookWhenIdle()

  return {
    state,
    note,
    tryNow: pause.end,
    untilUp,
  }

  function note(fault: ApiFault | null) {
    heardMs = Date.now()
    if (!state.get().isUp) return
    if (fault?.kind === 'unreachable' || fault?.kind === 'unavailable') void recover(fault)
    else if (fault === null) failures = 0
  }

  function untilUp(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (state.get().isUp || signal?.aborted) return resolve()
      const unsubscribe = state.subscribe(finish)
      signal?.addEventListener('abort', finish)
      function finish() {
        if (!state.get().isUp && !signal?.aborted) return
        unsubscribe()
        signal?.removeEventListener('abort', finish)
        resolve()
      }
    })
  }

  /** So that the page tells the truth also to somebody who only looks at it. */
  async function lookWhenIdle() {
    for (;;) {
      await untilUp()
      await createPause().start(heardMs + IDLE_MS - Date.now())
      await untilVisible()
      if (state.get().isUp && Date.now() - heardMs >= IDLE_MS) note(await findFault())
    }
  }

  async function recover(first: ApiFault) {
    for (let fault: ApiFault | null = first; fault; fault = await findFault()) {
      failures += 1
      const pauseMs = Math.max(fault.retryAfterMs, retryPauseMs(failures))
      const { kind, detail } = fault
      state.set({ isUp: false, kind, detail, retryAtMs: Date.now() + pauseMs })
      await pause.start(pauseMs)
      await untilVisible()
    }
    state.set({ isUp: true })
  }
}

// Seldom enough to be no burden, with many pages open.
const IDLE_MS = 10_000
// A person is watching: soon at first, and never so rarely that they would reload the page instead.
const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 10_000

function retryPauseMs(failures: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS)
}
