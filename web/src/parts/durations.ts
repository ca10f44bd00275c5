// Formats durations and timestamps, short enough for tables. Non-breaking spaces keep a number and its unit
// together.

/** Formats a duration, e.g. "400 ms", "1.5 s", "12 s", "3 min 5 s", "2 h 10 min". */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))}\u00a0ms`
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)}\u00a0s`
  return formatSeconds(ms)
}

/** Formats a duration without fractions of a second, for durations that the page counts up or down. */
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

/** Formats a time of day with milliseconds, e.g. "14:03:07.250". Empty if the timestamp is invalid. */
export function formatClock(timestamp: string): string {
  const date = new Date(timestamp)
  return Number.isNaN(date.getTime()) ? '' : exactClock.format(date)
}

/** Formats a timestamp as the time of day, with the date unless it is today. Empty if it is invalid. */
export function formatTimestamp(timestamp: string): string {
  const date = new Date(timestamp)
  if (Number.isNaN(date.getTime())) return ''
  return date.toDateString() === new Date().toDateString() ? clock.format(date) : clockAndDay.format(date)
}
