// State of the connection to the API. Detects outages by failed requests, and then checks the API until it is
// ready again.
import { type ReadonlySignal, signal } from '@preact/signals'
import { onChange } from '../parts/on-change.ts'
import type { ApiFault } from './api-response.ts'
import { createPause, untilVisible } from './pauses.ts'

export type ConnectionState =
  | { isUp: true }
  /**
   * `retryAtMs`: start of the next check of the API, in milliseconds since 1970 by this machine's clock. It
   * is in the past while the check runs.
   */
  | { isUp: false; kind: ApiFault['kind']; detail: string; retryAtMs: number }

export interface Connection {
  state: ReadonlySignal<ConnectionState>
  /**
   * Records the outcome of a request. An error of the kind `unreachable` or `unavailable` starts an outage.
   * @param fault the error of the request; null if it succeeded
   */
  report(fault: ApiFault | null): void
  /** During an outage, starts the next check of the API immediately instead of after the pause. */
  tryNow(): void
  /** Resolves when there is no outage, or when the AbortSignal aborts. */
  untilUp(signal?: AbortSignal): Promise<void>
}

/** @param findFault checks the API; resolves with null if it is ready, otherwise with the error */
export function createConnection(findFault: () => Promise<ApiFault | null>): Connection {
  const state = signal<ConnectionState>({ isUp: true })
  const pause = createPause()
  let failures = 0
  let lastReportMs = Date.now()

  // When the machine is online again, the API is checked immediately.
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
    if (!state.value.isUp) return
    if (fault?.kind === 'unreachable' || fault?.kind === 'unavailable') void recover(fault)
    else if (fault === null) failures = 0
  }

  function untilUp(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (state.value.isUp || signal?.aborted) return resolve()
      const unsubscribe = onChange(state, finish)
      signal?.addEventListener('abort', finish)
      function finish() {
        if (!state.value.isUp && !signal?.aborted) return
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
      if (state.value.isUp && Date.now() - lastReportMs >= IDLE_MS) report(await findFault())
    }
  }

  async function recover(first: ApiFault) {
    for (let fault: ApiFault | null = first; fault; fault = await findFault()) {
      failures += 1
      const pauseMs = Math.max(fault.retryAfterMs, retryPauseMs(failures))
      const { kind, detail } = fault
      state.value = { isUp: false, kind, detail, retryAtMs: Date.now() + pauseMs }
      await pause.start(pauseMs)
      await untilVisible()
    }
    state.value = { isUp: true }
  }
}

// An idle page, which sends no requests, checks the API at this interval. It is long enough that many open
// pages cause no noticeable load.
const IDLE_MS = 10_000
// Pauses between checks during an outage: 1 s at first, doubled after every failure up to 10 s. They are
// short, because a person is waiting.
const FIRST_PAUSE_MS = 1_000
const MAX_PAUSE_MS = 10_000

function retryPauseMs(failures: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), MAX_PAUSE_MS)
}
