// The server's current time, because the page shows its timestamps and this machine's clock may be wrong.

export interface ServerClock {
  /** @param date the `Date` header of a response */
  observe(date: string | null): void
  nowMs(): number
}

// The header has whole seconds, so a smaller offset can be a rounding error.
const NOTICEABLE_MS = 1_500

export function createServerClock(): ServerClock {
  let offsetMs = Number.NEGATIVE_INFINITY
  return {
    observe(date) {
      const serverMs = Date.parse(date ?? '')
      // Every header is late, by its truncated fraction of a second and by the network: the largest offset is
      // the most exact one.
      if (!Number.isNaN(serverMs)) offsetMs = Math.max(offsetMs, serverMs - Date.now())
    },
    nowMs: () =>
      Date.now() + (Number.isFinite(offsetMs) && Math.abs(offsetMs) > NOTICEABLE_MS ? offsetMs : 0),
  }
}
