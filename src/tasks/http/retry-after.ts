// The wish of a server for when to come back (RFC 9110, 10.2.3).

// A server that asks for a week has made a mistake, or means "never".
const MAX_DELAY_MS = 24 * 3_600_000

/** Milliseconds from `nowMs` on, at most a day; undefined where there is no wish that can be read. Pure. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  const text = header?.trim() ?? ''
  const delayMs = /^\d+$/.test(text) ? Number(text) * 1_000 : momentOf(text) - nowMs
  return delayMs > 0 ? Math.min(delayMs, MAX_DELAY_MS) : undefined
}

const HTTP_DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? /

/** NaN for anything else than a date of HTTP: `Date.parse` alone would take "1.5" for a day in January. */
function momentOf(text: string): number {
  return HTTP_DATE.test(text) ? Date.parse(text) : Number.NaN
}
