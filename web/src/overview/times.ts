// Formats measured durations and the time steps of charts.
import type { Stats } from '../api/api-client.ts'
import { formatDuration } from '../parts/durations.ts'

/** Formats a measured duration; a dash for null, i.e. if nothing was measured. */
export function formatTime(ms: number | null): string {
  if (ms === null) return '–'
  return ms < 1 ? '<\u202f1\u00a0ms' : formatDuration(ms)
}

const toTheSecond = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
})
const toTheMinute = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })

/** Formats the start of a time step as the time of day, with seconds if steps are shorter than a minute. */
export function formatStep(ms: number, stepSeconds: number): string {
  return (stepSeconds < 60 ? toTheSecond : toTheMinute).format(ms)
}

// The last time step, which has not ended, is drawn only if it began at least 20 s ago, because counts arrive
// some seconds late. Steps of 10 s are therefore drawn only after their end.
const MIN_SECONDS = 20

/**
 * Returns the number of time steps to draw. The last step has not ended: it is drawn only after 90 % of its
 * time, and at least 20 s, because until then its count would look too low.
 */
export function drawnSteps({ at, series }: Stats): number {
  const count = series.starts_at.length
  const elapsedSeconds = (Date.parse(at) - Date.parse(series.starts_at.at(-1) ?? at)) / 1_000
  return elapsedSeconds > Math.max(MIN_SECONDS, 0.9 * series.step_seconds) ? count : count - 1
}
