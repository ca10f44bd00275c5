// Describes the limits of a queue in words. Pure functions.
import type { QueueLimits } from '../api/api-client.ts'
import { formatDuration } from '../parts/durations.ts'

/** Describes limits, e.g. "at most 10 at once, 100 starts per minute". */
export function limitsText({ concurrency, rate_limit: rate }: QueueLimits): string {
  const starts = rate && `${rate.limit.toLocaleString()} ${rate.limit === 1 ? 'start' : 'starts'}`
  const parts = [
    concurrency !== null && `${concurrency.toLocaleString()} at once`,
    rate && `${starts} per ${spanText(rate.per_seconds)}`,
  ].filter(Boolean)
  return `at most ${parts.join(', ')}`
}

const UNITS: Record<number, string> = { 1: 'second', 60: 'minute', 3600: 'hour', 86400: 'day' }

function spanText(seconds: number): string {
  return UNITS[seconds] ?? formatDuration(seconds * 1_000)
}
