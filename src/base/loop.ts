// The loop of all periodic background work: calls the function `body`, pauses, and repeats this until it is
// stopped. Each call is a round. An error in a round is passed to `onError` and does not end the loop: the
// next round starts after a pause of `intervalMs`.

export interface Loop {
  /** Ends the current pause immediately. If called during a round, the pause after that round is skipped. */
  wake(): void
  /** Starts no further round. Resolves when the current round, if any, has ended. */
  stop(): Promise<void>
}

export interface LoopOptions {
  /** Pause between the end of one round and the start of the next, in milliseconds. */
  intervalMs: number
  /**
   * Does the work of one round. It may resolve with a shorter pause before the next round, in milliseconds.
   * The AbortSignal aborts when `stop` is called: a round with many steps should then end early.
   */
  body: (stopping: AbortSignal) => Promise<number | undefined> | Promise<void>
  onError: (error: unknown) => void
}

/** Starts a loop. The first round starts immediately. */
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
      // If `body` fails, `shorterMs` is undefined, so that the pause is `intervalMs`. The return value of
      // `onError` (event emitters return a boolean) must not be used as the pause.
      const shorterMs = await Promise.resolve(body(stopping.signal)).catch((error) => {
        onError(error)
        return undefined
      })
      if (stopping.signal.aborted) return
      await pause(Math.max(0, Math.min(shorterMs ?? intervalMs, intervalMs)), waking.signal)
    }
  }
}

/** Resolves after `ms` milliseconds, or immediately when the AbortSignal aborts. Never rejects. */
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
