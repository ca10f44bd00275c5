// What time it is at the server, whose times the page shows, on a machine whose own clock may be wrong.

export interface ServerClock {
  /** @param date the `Date` header of an answer */
  observe(date: string | null): void
  nowMs(): number
}

// The header has whole seconds, so a smaller difference may be none at all.
const NOTICEABLE_MS = 1_500

export function createServerClock(): ServerClock {
  let offsetMs = Number.NEGATIVE_INFINITY
  return {
    observe(date) {
      const serverMs = Date.parse(date ?? '')
      // Each header is late, by its cut-off fraction and by its way to us: the one that was least late is the best.
      if (!Number.isNaN(serverMs)) offsetMs = Math.max(offsetMs, serverMs - Date.now())
    },
    nowMs: () =>
      Date.now() + (Number.isFinite(offsetMs) && Math.abs(offsetMs) > NOTICEABLE_MS ? offsetMs : 0),
  }
}
