// Two ways to wait: for a time, with a pause that can be ended early, or until the tab is visible.

export interface Pause {
  /** Starts a pause. Resolves after this time in milliseconds, or as soon as `end` is called. */
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

/** Resolves immediately if the tab is visible, else when it becomes visible. */
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
