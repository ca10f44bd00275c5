// Time limits that do not count the time during which the event loop was blocked. After a block, Node runs
// all due timers before it reads from sockets, so an answer that arrived during the block would come too
// late.

export interface TimeLimit {
  /** Ends the time limit. Does nothing if it is over. */
  clear(): void
}

// A timer that fires later than this was delayed by a blocked event loop. Usual delays, e.g. of a garbage
// collection on a busy machine, are shorter.
const TOLERANCE_MS = 500

/**
 * Calls `onDue` after `ms` milliseconds. If a blocked event loop has delayed the timer by more than half a
 * second, waits again for as long as the delay was. All of these extensions together take at most `ms`
 * milliseconds.
 */
export function startTimeLimit(ms: number, onDue: () => void): TimeLimit {
  return new Limit(ms, onDue)
}

/**
 * A class and one shared callback, because a closure that is assigned to a property would be allocated in
 * V8's old generation (docs/architecture.md, "Speed").
 */
class Limit implements TimeLimit {
  private readonly onDue: () => void
  private timer: NodeJS.Timeout
  private dueMs: number
  /** How much longer the limit may become, in milliseconds. */
  private extensionMs: number

  constructor(ms: number, onDue: () => void) {
    this.onDue = onDue
    this.extensionMs = ms
    this.dueMs = performance.now() + ms
    this.timer = setTimeout(checkLimit, ms, this)
  }

  clear() {
    clearTimeout(this.timer)
  }

  check() {
    const nowMs = performance.now()
    const lateMs = nowMs - this.dueMs
    if (lateMs <= TOLERANCE_MS || this.extensionMs <= 0) return this.onDue()
    const againMs = Math.min(lateMs, this.extensionMs)
    this.extensionMs -= againMs
    this.dueMs = nowMs + againMs
    this.timer = setTimeout(checkLimit, againMs, this)
  }
}

function checkLimit(limit: Limit) {
  limit.check()
}
