// Asks again for as long as that may help.

/** An error that says whether it may be over in a moment. */
interface PassingError {
  isPassing: boolean
  retryAfterMs: number
}

/**
 * Asks until the answer is no passing error, or the next try would come later than `patienceMs` after the first one.
 * `ask` itself has to reject once the signal has aborted.
 */
export async function persist<T>(
  ask: () => Promise<T>,
  patienceMs: number,
  signal?: AbortSignal,
): Promise<T> {
  const deadlineMs = Date.now() + patienceMs
  for (let failures = 1; ; failures++) {
    try {
      return await ask()
    } catch (error) {
      if (!isPassing(error)) throw error
      const pauseMs = Math.max(error.retryAfterMs, backoffMs(failures))
      if (Date.now() + pauseMs > deadlineMs) throw error
      await pause(pauseMs, signal)
    }
  }
}

/** Resolves after this time, or when the signal aborts. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
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

// A lost connection is often back at once; an API that restarts takes a few seconds.
const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 5_000

/** With chance in it, so that those who lost the API together do not come back together. */
function backoffMs(failures: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2)
}

function isPassing(error: unknown): error is PassingError {
  return typeof error === 'object' && error !== null && 'isPassing' in error && error.isPassing === true
}
