// How many tasks may run at once. A slot is taken before the claim and given back when the handler has settled.

export interface Slots {
  readonly capacity: number
  readonly free: number
  /** How many of them are given out now: all, or none while the worker drains. */
  readonly available: number
  /** Takes up to `wanted` free slots at once; answers how many it got. */
  reserve(wanted: number): number
  release(count: number): void
  /** Resolves at once while a slot is available, or else when the next becomes so, or when closed. */
  whenAvailable(): Promise<void>
  /** While draining no slot is given; those that are taken come back as ever. */
  setDraining(isDraining: boolean): void
  /** No slot is given any more; whoever waits is let go. */
  close(): void
}

export function createSlots(capacity: number): Slots {
  let free = capacity
  let isDraining = false
  let isClosed = false
  let waiters: (() => void)[] = []

  return {
    capacity,
    get free() {
      return free
    },
    get available() {
      return available()
    },
    reserve(wanted) {
      const granted = Math.min(wanted, available())
      free -= granted
      return granted
    },
    release(count) {
      free += count
      if (available() > 0) wakeAll()
    },
    setDraining(wanted) {
      isDraining = wanted
      if (available() > 0) wakeAll()
    },
    whenAvailable() {
      if (available() > 0 || isClosed) return Promise.resolve()
      return new Promise((resolve) => {
        waiters.push(resolve)
      })
    },
    close() {
      isClosed = true
      wakeAll()
    },
  }

  function available(): number {
    return isClosed || isDraining ? 0 : free
  }

  function wakeAll() {
    const woken = waiters
    waiters = []
    for (const wake of woken) wake()
  }
}
