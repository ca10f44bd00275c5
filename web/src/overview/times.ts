// Times as they are measured, and moments as axes and tables name them.
import type { Stats } from '../api/api-client.ts'
import { formatDuration } from '../parts/durations.ts'

/** A measured time; a dash where there is none. */
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

/** A time of day, as exact as steps of this length need it. */
export function formatStep(ms: number, stepSeconds: number): string {
  return (stepSeconds < 60 ? toTheSecond : toTheMinute).format(ms)
}

// Sums arrive some seconds late: of a short step there is too little to compare it with the others.
const LEAST_SECONDS = 20

/** How many steps are drawn: without the one under way, until most of it is over, for it would always look like a fall. */
export function drawnSteps({ at, series }: Stats): number {
  const count = series.starts_at.length
  const underWaySeconds = (Date.parse(at) - Date.parse(series.starts_at.at(-1) ?? at)) / 1_000
  return underWaySeconds > Math.max(LEAST_SECONDS, 0.9 * series.step_seconds) ? count : count - 1
}
