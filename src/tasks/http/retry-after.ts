// Parses the header Retry-After (RFC 9110, 10.2.3).

// Maximum delay: one day. A longer one, such as a week, is most likely a mistake, or means "never".
const MAX_DELAY_MS = 24 * 3_600_000

/**
 * Returns the delay that the header asks for in milliseconds, at most a day. Undefined if the header is
 * absent, invalid or not in the future.
 */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  const text = header?.trim() ?? ''
  const delayMs = /^\d+$/.test(text) ? Number(text) * 1_000 : dateMsOf(text) - nowMs
  return delayMs > 0 ? Math.min(delayMs, MAX_DELAY_MS) : undefined
}

const HTTP_DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? /

/**
 * Parses an HTTP date to milliseconds since 1970; NaN if the text is no HTTP date. The format is checked
 * first, because `Date.parse` alone would read "1.5" as January 5.
 */
function dateMsOf(text: string): number {
  return HTTP_DATE.test(text) ? Date.parse(text) : Number.NaN
}
