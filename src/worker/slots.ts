// How many tasks may run at once. A slot is taken before the claim and given back when the handler has settled.

export interface Slots {
  readonly capacity: number
  readonly free: number
  /** Takes up to `wanted` free slots at once; answers how many it got. */
  reserve(wanted: number): number
  release(count: number): void
  /** Resolves at once while a slot is free, or else when the next becomes free, or when closed. */
  whenFree(): Promise<void>
  /** No slot is given any more; whoever waits is let go. */
  close(): void
}

export function createSlots(capacity: number): Slots {
  let free = capacity
  let isClosed = false
  let waiters: (() => void)[] = []

  return {
    capacity,
    get free() {
      return free
    },
    reserve(wanted) {
      const granted = isClosed ? 0 : Math.min(wanted, free)
      free -= granted
      return granted
    },
    release(count) {
      free += count
      if (free > 0) wakeAll()
    },
    whenFree() {
      if (free > 0 || isClosed) return Promise.resolve()
      return new Promise((resolve) => {
        waiters.push(resolve)
      })
    },
    close() {
      isClosed = true
      wakeAll()
    },
  }

  function wakeAll() {
    const woken = waiters
    waiters = []
    for (const wake of woken) wake()
  }
}
