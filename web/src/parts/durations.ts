// Formats durations and timestamps, short enough for tables. Non-breaking spaces keep a number and its unit
// together.

/** "400 ms", "1.5 s", "12 s", "3 min 5 s", "2 h 10 min" */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))}\u00a0ms`
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)}\u00a0s`
  return formatSeconds(ms)
}

/** In whole seconds, for durations that are counted up or down on the page. */
export function formatSeconds(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000))
  if (seconds < 60) return `${seconds}\u00a0s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}\u00a0min\u00a0${seconds % 60}\u00a0s`
  if (seconds < 86_400)
    return `${Math.floor(seconds / 3_600)}\u00a0h\u00a0${Math.floor((seconds % 3_600) / 60)}\u00a0min`
  return `${Math.floor(seconds / 86_400)}\u00a0d\u00a0${Math.floor((seconds % 86_400) / 3_600)}\u00a0h`
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const clockAndDay = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

const exactClock = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
  hour12: false,
})

/** "14:03:07.250" */
export function formatClock(timestamp: string): string {
  const date = new Date(timestamp)
  return Number.isNaN(date.getTime()) ? '' : exactClock.format(date)
}

/** Time of day; with the date if the timestamp is not of today. Empty if it is invalid. */
export function formatTimestamp(timestamp: string): string {
  const date = new Date(timestamp)
  if (Number.isNaN(date.getTime())) return ''
  return date.toDateString() === new Date().toDateString() ? clock.format(date) : clockAndDay.format(date)
}
