// Limits the number of tasks that a worker runs at the same time. A slot is reserved before a task is
// claimed. It is released when its handler has returned, or, if too many results are unwritten, when the end
// of the attempt is written. If a handler ignores its abort, its attempt is ended
// without it, and its slot counts as leaked until the handler returns.

export interface Slots {
  readonly capacity: number
  readonly free: number
  /** Number of slots whose handlers run on although their attempts have ended. They are not free. */
  readonly leaked: number
  /** Number of slots that can be reserved now; 0 after `close`, and while an operator drains the worker. */
  readonly available: number
  /** Reserves up to `wanted` slots. @returns how many were reserved */
  reserve(wanted: number): number
  release(count: number): void
  /** Counts a slot in use as leaked. */
  leak(): void
  /** Releases a leaked slot, because its handler has returned after all. */
  recover(): void
  /** Resolves when a slot can be reserved, or when `close` is called. */
  whenAvailable(): Promise<void>
  /**
   * Starts or ends draining. A worker that drains can reserve no slots, so it claims no tasks; slots in use
   * can still be released.
   */
  setDraining(isDraining: boolean): void
  /**
   * Forbids further reservations. Unlike after `close`, `whenAvailable` does not resolve any more: consumers
   * wait, and do not fetch one delivery after another to return it.
   */
  suspend(): void
  /** Forbids further reservations, and resolves all pending `whenAvailable` calls. */
  close(): void
}

export function createSlots(capacity: number): Slots {
  let free = capacity
  let leaked = 0
  let isDraining = false
  let isSuspended = false
  let isClosed = false
  let waiters: (() => void)[] = []

  return {
    capacity,
    get free() {
      return free
    },
    get leaked() {
      return leaked
    },
    get available() {
      return available()
    },
    reserve(wanted) {
      const granted = Math.min(wanted, available())
      free -= granted
      return granted
    },
    release,
    leak() {
      leaked++
    },
    recover() {
      leaked--
      release(1)
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
    suspend() {
      isSuspended = true
    },
    close() {
      isClosed = true
      wakeAll()
    },
  }

  function release(count: number) {
    free += count
    if (available() > 0) wakeAll()
  }

  function available(): number {
    return isClosed || isSuspended || isDraining ? 0 : free
  }

  function wakeAll() {
    const woken = waiters
    waiters = []
    for (const wake of woken) wake()
  }
}
