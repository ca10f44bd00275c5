// Limits the number of tasks that a worker runs at the same time. A slot is reserved before a task is
// claimed. It is released when its handler has returned, or, if too many results are unwritten, when the end
// of the attempt is written. If a handler ignores its abort, its attempt is ended
// without it, and its slot counts as leaked until the handler returns.
//
// Plain tasks (from Redis) and held tasks (from Postgres) share the slots. While held tasks wait for slots, plain tasks
// leave them a share of the starts, which depends on the priority of the held tasks.
import type { Priority } from '../../definitions/limits.ts'

export interface Slots {
  readonly capacity: number
  readonly free: number
  /** Number of slots whose handlers run on although their attempts have ended. They are not free. */
  readonly leaked: number
  /**
   * Number of slots that plain tasks can reserve now; 0 after `close`, and while an operator drains the worker.
   */
  readonly available: number
  /** Reserves up to `wanted` slots for plain tasks. @returns how many were reserved */
  reserve(wanted: number): number
  /** Reserves up to `wanted` slots for held tasks. @returns how many were reserved */
  reserveHeld(wanted: number): number
  /**
   * Says that held tasks of this priority wait for slots, so that plain tasks leave them their share; null if none
   * wait.
   */
  setHeldWaiting(priority: Priority | null): void
  release(count: number): void
  /** Counts a slot in use as leaked. */
  leak(): void
  /** Releases a leaked slot, because its handler has returned after all. */
  recover(): void
  /** Resolves when plain tasks can reserve a slot, or when `close` is called. */
  whenAvailable(): Promise<void>
  /** Like `whenAvailable` for held tasks. */
  whenHeldAvailable(): Promise<void>
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

/** Share of the starts that held tasks of a priority get while plain tasks wait too. */
const HELD_SHARE: Record<Priority, number> = { high: 0.9, normal: 0.5, low: 0.1 }

// What a single start of a plain task adds at most, with some room for rounding.
const MAX_OWED = 10

export function createSlots(capacity: number): Slots {
  let free = capacity
  let leaked = 0
  let isDraining = false
  let isSuspended = false
  let isClosed = false
  let waiters: (() => void)[] = []
  let heldWaiters: (() => void)[] = []
  let heldShare = 0
  /** Number of starts that plain tasks owe to held tasks: so many slots they leave free. */
  let owed = 0

  return {
    capacity,
    get free() {
      return free
    },
    get leaked() {
      return leaked
    },
    get available() {
      return availableForPlain()
    },
    reserve(wanted) {
      if (heldShare === 0) return take(wanted, available())
      // Not all free slots at once, so that held tasks get the next one.
      const most = Math.max(1, Math.floor(free * (1 - heldShare)))
      const granted = take(Math.min(wanted, most), availableForPlain())
      owed = Math.min(capacity + MAX_OWED, owed + (granted * heldShare) / (1 - heldShare))
      return granted
    },
    reserveHeld(wanted) {
      const granted = take(wanted, available())
      owed = Math.max(0, owed - granted)
      return granted
    },
    setHeldWaiting(priority) {
      const isNew = heldShare === 0
      heldShare = priority === null ? 0 : HELD_SHARE[priority]
      if (priority === null) owed = 0
      else if (isNew && priority !== 'low') owed = Math.max(owed, 1)
      wakeAll()
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
      wakeAll()
    },
    whenAvailable() {
      if (availableForPlain() > 0 || isClosed) return Promise.resolve()
      return new Promise((resolve) => {
        waiters.push(resolve)
      })
    },
    whenHeldAvailable() {
      if (available() > 0 || isClosed) return Promise.resolve()
      return new Promise((resolve) => {
        heldWaiters.push(resolve)
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
    wakeAll()
  }

  function take(wanted: number, most: number): number {
    const granted = Math.min(wanted, most)
    free -= granted
    return granted
  }

  function available(): number {
    return isClosed || isSuspended || isDraining ? 0 : free
  }

  function availableForPlain(): number {
    return heldShare === 0 ? available() : Math.max(0, available() - Math.floor(owed))
  }

  function wakeAll() {
    // Held tasks first: they need a query before they can use a slot.
    if (heldWaiters.length > 0 && (available() > 0 || isClosed)) {
      const woken = heldWaiters
      heldWaiters = []
      for (const wake of woken) wake()
    }
    if (waiters.length === 0 || (availableForPlain() === 0 && !isClosed)) return
    const woken = waiters
    waiters = []
    for (const wake of woken) wake()
  }
}
