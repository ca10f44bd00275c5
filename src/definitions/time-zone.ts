// Local times of time zones, also where clocks are changed. A local time is given in milliseconds: what
// `Date.UTC` returns for its year, month, day, hour, minute and second. The rules of the zones are those of
// Node (ICU).

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
// UTC offsets are between -12 and +14 hours. So the instant of a local time is within this span around it.
const BEFORE_MS = 15 * HOUR_MS
const AFTER_MS = 13 * HOUR_MS

/** Whether Node knows this time zone, e.g. `Europe/Berlin` or `UTC`. */
export function isTimeZone(zone: string): boolean {
  try {
    formatterOf(zone)
    return true
  } catch {
    return false
  }
}

// To find an offset takes some ten microseconds. Schedules of one zone that are due together ask for the same
// ones.
const MAX_OFFSETS = 10_000
const offsets = new Map<string, number>()

/** Returns local time minus UTC at an instant, in milliseconds: positive in the east. */
export function offsetMs(zone: string, atMs: number): number {
  const key = `${zone} ${atMs}`
  const known = offsets.get(key)
  if (known !== undefined) return known
  const offset = localMsOf(zone, atMs) - atMs
  if (offsets.size >= MAX_OFFSETS) offsets.clear()
  offsets.set(key, offset)
  return offset
}

/**
 * Returns the first instant at which the clocks of a zone show a local time or a later one. A local time that
 * a change skips is the instant of that change; one that a change repeats is its first occurrence.
 */
export function firstInstantOf(zone: string, localMs: number): number {
  const fromMs = localMs - BEFORE_MS
  const toMs = localMs + AFTER_MS
  const before = offsetMs(zone, fromMs)
  const after = offsetMs(zone, toMs)
  if (before === after) return localMs - before
  const changeMs = changeBetween(zone, fromMs, toMs)
  const earlierMs = localMs - before
  return earlierMs < changeMs ? earlierMs : Math.max(changeMs, localMs - after)
}

/**
 * Returns the latest local time that the clocks of a zone have shown until this instant. It differs from the
 * local time of the instant while clocks that were put back repeat an hour.
 */
export function latestLocalMs(zone: string, atMs: number): number {
  const now = offsetMs(zone, atMs)
  const dayAgoMs = atMs - DAY_MS
  const before = offsetMs(zone, dayAgoMs)
  if (before <= now) return atMs + now
  const changeMs = changeBetween(zone, dayAgoMs, atMs)
  return Math.max(atMs + now, changeMs + before - 1)
}

/** Returns the local time of an instant as text with its UTC offset, e.g. `2026-03-29T03:00:00+02:00`. */
export function localTextOf(zone: string, atMs: number): string {
  const offset = offsetMs(zone, atMs)
  const minutes = Math.abs(Math.round(offset / 60_000))
  const digits = (value: number) => String(value).padStart(2, '0')
  const suffix = `${offset < 0 ? '-' : '+'}${digits(Math.floor(minutes / 60))}:${digits(minutes % 60)}`
  return new Date(atMs + offset).toISOString().slice(0, 19) + suffix
}

/**
 * Returns the first instant after `fromMs` at which the offset is another one. The offsets at both ends must
 * differ. No zone has two changes within a day.
 */
function changeBetween(zone: string, fromMs: number, toMs: number): number {
  const before = offsetMs(zone, fromMs)
  let [low, high] = [fromMs, toMs]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (offsetMs(zone, middle) === before) low = middle
    else high = middle
  }
  return high
}

function localMsOf(zone: string, atMs: number): number {
  const field: Record<string, number> = {}
  for (const { type, value } of formatterOf(zone).formatToParts(atMs)) field[type] = Number(value)
  const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = field
  const ms = ((atMs % 1_000) + 1_000) % 1_000
  return Date.UTC(year, month - 1, day, hour, minute, second, ms)
}

// To create a formatter takes a thousand times as long as to use it. There are about 600 names of zones.
const formatters = new Map<string, Intl.DateTimeFormat>()

function formatterOf(zone: string): Intl.DateTimeFormat {
  const known = formatters.get(zone)
  if (known) return known
  const formatter = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  formatters.set(zone, formatter)
  return formatter
}
