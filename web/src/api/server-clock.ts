// Estimates the server's current time. The page compares it with timestamps of the server, and this machine's
// clock can be wrong.

export interface ServerClock {
  /**
   * Compares the clocks of the server and of this machine.
   * @param date the `Date` header of a response that has just arrived
   */
  observe(date: string | null): void
  nowMs(): number
}

// A smaller offset between the two clocks is ignored: it can be a rounding error, because the `Date` header
// has whole seconds.
const NOTICEABLE_MS = 1_500

export function createServerClock(): ServerClock {
  let offsetMs = Number.NEGATIVE_INFINITY
  return {
    observe(date) {
      const serverMs = Date.parse(date ?? '')
      // Every measured offset is too small, by the truncated fraction of the header's second and by the time
      // on the network. So the largest one is the most exact.
      if (!Number.isNaN(serverMs)) offsetMs = Math.max(offsetMs, serverMs - Date.now())
    },
    nowMs: () =>
      Date.now() + (Number.isFinite(offsetMs) && Math.abs(offsetMs) > NOTICEABLE_MS ? offsetMs : 0),
  }
}
