// Estimates the server's current time. The page compares it with timestamps of the server, and this machine's
// clock can be wrong.

export interface ServerClock {
  /**
   * Called with every response: measures how far the server's clock is ahead of this machine's clock.
   * @param date the `Date` header of the response that has just arrived; null if it has none
   */
  observe(date: string | null): void
  nowMs(): number
}

// The two clocks count as equal if their offset is at most 1.5 s: it can be a rounding error, because the
// `Date` header has whole seconds.
const NOTICEABLE_MS = 1_500

export function createServerClock(): ServerClock {
  let offsetMs = Number.NEGATIVE_INFINITY
  return {
    observe(date) {
      const serverMs = Date.parse(date ?? '')
      // The offset (server time minus local time) is always measured too small: the header omits fractions of
      // a second, and the response took time to arrive. So the largest measured offset is the most exact.
      if (!Number.isNaN(serverMs)) offsetMs = Math.max(offsetMs, serverMs - Date.now())
    },
    nowMs: () =>
      Date.now() + (Number.isFinite(offsetMs) && Math.abs(offsetMs) > NOTICEABLE_MS ? offsetMs : 0),
  }
}
