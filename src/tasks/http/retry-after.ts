// Parses the header Retry-After (RFC 9110, 10.2.3).

// A longer delay, such as a week, is most likely a mistake, or means "never".
const MAX_DELAY_MS = 24 * 3_600_000

/** Returns the delay in milliseconds, at most a day; undefined if the header is absent or invalid. Pure. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  const text = header?.trim() ?? ''
  const delayMs = /^\d+$/.test(text) ? Number(text) * 1_000 : dateMsOf(text) - nowMs
  return delayMs > 0 ? Math.min(delayMs, MAX_DELAY_MS) : undefined
}

const HTTP_DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? /

/** Returns NaN if the text is no HTTP date. `Date.parse` alone would take "1.5" for January 5. */
function dateMsOf(text: string): number {
  return HTTP_DATE.test(text) ? Date.parse(text) : Number.NaN
}
