// Repeats requests: after transient errors, and until a task has ended.

/** The members of ApiError that decide whether and when a request is repeated. */
interface TransientError {
  isTransient: boolean
  retryAfterMs: number
}

/**
 * Calls `send` until it succeeds or fails with an error that is not transient. Rejects with the last error if
 * the next call would start later than `maxMs` after the first.
 * @param signal ends the delay between two calls when it aborts; `send` is then called again and must reject
 */
export async function retryWhileTransient<T>(
  send: () => Promise<T>,
  maxMs: number,
  signal?: AbortSignal,
): Promise<T> {
  const deadlineMs = Date.now() + maxMs
  for (let failures = 1; ; failures++) {
    try {
      return await send()
    } catch (error) {
      if (!isTransient(error)) throw error
      const delayMs = Math.max(error.retryAfterMs, backoffMs(failures))
      if (Date.now() + delayMs > deadlineMs) throw error
      await pause(delayMs, signal)
    }
  }
}

// Minimum time between the starts of two requests that read the same task. Each request asks the API to
// respond only when the task has ended, or after some time. If a proxy responds immediately instead, this
// interval prevents a busy loop.
const MIN_READ_INTERVAL_MS = 500

/**
 * Called by `waitFor`: calls `read` until it returns a task that has ended, and resolves with this task.
 * After a transient error, `read` is called again, without a time limit. It must reject when the AbortSignal
 * aborts.
 */
export async function readUntilFinal<T extends { is_final: boolean }>(
  read: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  for (;;) {
    const minInterval = pause(MIN_READ_INTERVAL_MS, signal)
    const task = await retryWhileTransient(read, Number.POSITIVE_INFINITY, signal)
    if (task.is_final) return task
    await minInterval
  }
}

/** Resolves after `ms` milliseconds, or when the AbortSignal aborts. */
function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const timer = setTimeout(finish, ms)
    signal?.addEventListener('abort', finish)
    function finish() {
      clearTimeout(timer)
      signal?.removeEventListener('abort', finish)
      resolve()
    }
  })
}

// Bounds of the delay between two tries. The first delay is short, because a lost connection can often be
// opened again immediately. The last ones are long enough for a restart of the API, which takes a few
// seconds.
const MIN_DELAY_MS = 200
const MAX_DELAY_MS = 5_000

/**
 * Returns the delay after this many failures: exponential backoff with jitter, so that clients do not all
 * return at the same time after an outage.
 */
function backoffMs(failures: number): number {
  return Math.min(MIN_DELAY_MS * 2 ** (failures - 1), MAX_DELAY_MS) * (0.5 + Math.random() / 2)
}

function isTransient(error: unknown): error is TransientError {
  return typeof error === 'object' && error !== null && 'isTransient' in error && error.isTransient === true
}
