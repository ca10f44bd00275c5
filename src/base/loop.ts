// The one background loop: run a body, wait, run it again, until stopped.
// A body that throws never ends the loop; its error is handed to `onError` and the next round comes as usual.

export interface Loop {
  /** Starts the next round now, or right after the one under way. */
  wake(): void
  /** Resolves when the round under way, if any, has ended. No round starts after it was called. */
  stop(): Promise<void>
}

export interface LoopOptions {
  /** Pause between the end of one round and the start of the next, in milliseconds. */
  intervalMs: number
  /**
   * May return a shorter pause for this time, in milliseconds. The signal aborts when the loop is to stop: a round of many
   * steps ends after the one under way.
   */
  body: (stopping: AbortSignal) => Promise<number | undefined> | Promise<void>
  onError: (error: unknown) => void
}

/** Starts the first round at once. */
export function startLoop({ intervalMs, body, onError }: LoopOptions): Loop {
  const stopping = new AbortController()
  let waking = new AbortController()
  const ended = run()
  return {
    wake: () => waking.abort(),
    stop() {
      stopping.abort()
      waking.abort()
      return ended
    },
  }

  async function run() {
    while (!stopping.signal.aborted) {
      waking = new AbortController()
      // What `onError` returns is nobody's business here, and must not be taken for a pause.
      const shorterMs = await Promise.resolve(body(stopping.signal)).catch((error) => {
        onError(error)
        return undefined
      })
      if (stopping.signal.aborted) return
      await pause(Math.max(0, Math.min(shorterMs ?? intervalMs, intervalMs)), waking.signal)
    }
  }
}

/** Waits, at most until the signal aborts; never rejects. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal?.addEventListener('abort', done)
  })
}
