// Ways to wait that somebody can end early.

export interface Pause {
  /** Resolves after this time, or when `end` is called. */
  start(ms: number): Promise<void>
  end(): void
}

export function createPause(): Pause {
  let finish = () => {}
  return {
    start(ms) {
      return new Promise((resolve) => {
        const timer = setTimeout(resolve, ms)
        finish = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    },
    end: () => finish(),
  }
}

/** Resolves at once in a tab that is seen, and when it is shown again in one that is hidden. */
export function untilVisible(): Promise<void> {
  return new Promise((resolve) => {
    if (!document.hidden) return resolve()
    document.addEventListener('visibilitychange', function onChange() {
      if (document.hidden) return
      document.removeEventListener('visibilitychange', onChange)
      resolve()
    })
  })
}
