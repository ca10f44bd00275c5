// State of the connection to the API. Detects outages from failed requests and retries until the API is back.
import { createObservable, type Observable } from '../parts/observable.ts'
import type { ApiFault } from './api-response.ts'
import { createPause, untilVisible } from './pauses.ts'

export type ConnectionState =
  | { isUp: true }
  /** `retryAtMs` is a time of this machine's clock. It lies in the past while a try is running. */
  | { isUp: false; kind: ApiFault['kind']; detail: string; retryAtMs: number }

export interface Connection {
  state: Observable<ConnectionState>
  /** Records the outcome of a request. */
  report(fault: ApiFault | null): void
  /** Starts the next try immediately. */
  tryNow(): void
  /** Resolves when the API can be reached or the signal aborts. */
  untilUp(signal?: AbortSignal): Promise<void>
}

/** @param findFault checks whether the API is ready; resolves with its fault, or null */
export function createConnection(findFault: () => Promise<ApiFault | null>): Connection {
  const state = createObservable<ConnectionState>({ isUp: true })
  const pause = createPause()
  let failures = 0
  let lastReportMs = Date.now()

  // Retry immediately when the machine is online again.
  addEventListener('online', pause.end)
  void checkWhenIdle()

  return {
    state,
    report,
    tryNow: pause.end,
    untilUp,
  }

  function report(fault: ApiFault | null) {
    lastReportMs = Date.now()
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

  /** Checks the API while the page sends no requests, so that an outage is shown also on an idle page. */
  async function checkWhenIdle() {
    for (;;) {
      await untilUp()
      await createPause().start(lastReportMs + IDLE_MS - Date.now())
      await untilVisible()
      if (state.get().isUp && Date.now() - lastReportMs >= IDLE_MS) report(await findFault())
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

// Pause between checks on an idle page. Long enough that many open pages cause no noticeable load.
const IDLE_MS = 10_000
// A person is waiting, so the first retry is early and the pauses stay short.
const FIRST_PAUSE_MS = 1_000
const MAX_PAUSE_MS = 10_000

function retryPauseMs(failures: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), MAX_PAUSE_MS)
}
