// Describes schedules and ticks in words. Pure functions.
import type { Schedule } from '../api/api-client.ts'
import { formatSeconds } from '../parts/durations.ts'

const UNITS = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
] as const

/** Describes an interval in its largest whole unit, e.g. "every minute", "every 90 seconds". */
export function everyText(seconds: number): string {
  const [unit, size] = UNITS.find(([, size]) => seconds % size === 0) ?? ['second', 1]
  const count = seconds / size
  return count === 1 ? `every ${unit}` : `every ${count.toLocaleString()} ${unit}s`
}

/** Describes when the next tick is, e.g. "in 5 h 3 min". @param nowMs current time by the server's clock */
export function nextText({ next_at: nextAt }: Pick<Schedule, 'next_at'>, nowMs: number): string {
  return nextAt === null ? 'none while paused' : untilText(nextAt, nowMs)
}

/** Describes how far a time is ahead, e.g. "in 5 h 3 min"; "now" if it has come. */
export function untilText(at: string, nowMs: number): string {
  const ms = Date.parse(at) - nowMs
  // Rounds up to whole seconds, so that the text counts down to "in 1 s".
  return ms > 0 ? `in ${formatSeconds(ms + 999)}` : 'now'
}

/** The time zone of this browser. */
export const OWN_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone

export interface TickTexts {
  /**
   * In the time zone of the schedule, with the name of the zone; in one's own zone if the schedule has none.
   */
  local: string
  /** In one's own time zone; null if the time is the same in both. */
  own: string | null
}

/** Formats a tick in the time zone of its schedule and in one's own. */
export function tickTexts(at: string, zone: string | null): TickTexts {
  const own = formatIn(OWN_ZONE, at)
  const there = zone === null ? own : formatIn(zone, at)
  return {
    local: zone === null ? own : `${there} ${zone}`,
    own: there === own ? null : `${own} your time`,
  }
}

function formatIn(timeZone: string, at: string): string {
  const date = new Date(at)
  const isWholeMinute = date.getTime() % 60_000 === 0
  const isThisYear = date.getFullYear() === new Date().getFullYear()
  const format: Intl.DateTimeFormatOptions = {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
    ...(!isWholeMinute && { second: '2-digit' }),
    ...(!isThisYear && { year: 'numeric' }),
  }
  try {
    return new Intl.DateTimeFormat(undefined, { ...format, timeZone }).format(date)
  } catch {
    // This browser does not know the time zone.
    return new Intl.DateTimeFormat(undefined, { ...format, timeZone: 'UTC', timeZoneName: 'short' }).format(
      date,
    )
  }
}

/** Time zones to choose from, with `UTC` first. @param chosen a time zone that this browser may not know */
export function timeZones(chosen: string): string[] {
  return [...new Set(['UTC', OWN_ZONE, chosen, ...Intl.supportedValuesOf('timeZone')])].filter(Boolean)
}
