// Formats measured durations and the start times of steps.
import type { Stats } from '../api/api-client.ts'
import { formatDuration } from '../parts/durations.ts'

/** A measured duration; a dash for null. */
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

/** Time of day, with seconds if the steps are shorter than a minute. */
export function formatStep(ms: number, stepSeconds: number): string {
  return (stepSeconds < 60 ? toTheSecond : toTheMinute).format(ms)
}

// Counts arrive some seconds late, so the first seconds of a step cannot be compared with complete steps.
const MIN_SECONDS = 20

/**
 * Number of steps to draw. The last step is drawn when 90 % of it have passed, and at least 20 s. Before that
 * its count would look too low.
 */
export function drawnSteps({ at, series }: Stats): number {
  const count = series.starts_at.length
  const elapsedSeconds = (Date.parse(at) - Date.parse(series.starts_at.at(-1) ?? at)) / 1_000
  return elapsedSeconds > Math.max(MIN_SECONDS, 0.9 * series.step_seconds) ? count : count - 1
}
