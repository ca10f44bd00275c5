// Repeats requests: after transient errors, and until a task has ended.

/** An error that tells whether the same request may succeed later. */
interface TransientError {
  isTransient: boolean
  retryAfterMs: number
}

/**
 * Calls `send` until it succeeds or fails permanently. Rejects with the last error if the next attempt would
 * start later than `maxMs` after the first. `send` itself must reject when the signal aborts.
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

// Minimum time between two reads. A proxy can respond without waiting, which must not cause a busy loop.
const MIN_READ_INTERVAL_MS = 500

/**
 * Reads a task until it is final, and repeats reads after transient errors without a time limit. `read`
 * itself must reject when the signal aborts.
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

/** Resolves after this time, or when the signal aborts. */
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

// A lost connection can often be opened again immediately; a restart of the API takes a few seconds.
const MIN_DELAY_MS = 200
const MAX_DELAY_MS = 5_000

/** Exponential backoff with jitter, so that clients do not all return at the same time after an outage. */
function backoffMs(failures: number): number {
  return Math.min(MIN_DELAY_MS * 2 ** (failures - 1), MAX_DELAY_MS) * (0.5 + Math.random() / 2)
}

function isTransient(error: unknown): error is TransientError {
  return typeof error === 'object' && error !== null && 'isTransient' in error && error.isTransient === true
}
