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

// The last time step, which has not ended, is not drawn in its first 20 s. Its count would look too low,
// because processes write their counts some seconds late.
const MIN_SECONDS = 20

/**
 * Returns the number of time steps to draw. The last step has not ended, so its count is too low at first: it
 * is drawn only when 90 % of its time and at least 20 s have passed. A last step of 10 s is thus never drawn.
 */
export function drawnSteps({ at, series }: Stats): number {
  const count = series.starts_at.length
  const elapsedSeconds = (Date.parse(at) - Date.parse(series.starts_at.at(-1) ?? at)) / 1_000
  return elapsedSeconds > Math.max(MIN_SECONDS, 0.9 * series.step_seconds) ? count : count - 1
}
