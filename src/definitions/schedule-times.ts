// The ticks of a schedule: the instants at which it makes a task. Pure: everything is given as milliseconds
// since 1970. Croner finds the local times that match a cron expression. It does not get the time zone: which
// instant a local time is, where clocks are changed, is decided by time-zone.ts.
import { createHash } from 'node:crypto'
import { Cron } from 'croner'
import { firstInstantOf, latestLocalMs } from './time-zone.ts'

/** When a schedule has ticks: at the local times of a cron expression, or every so many seconds. */
export type Timing = { cron: string; timeZone: string } | { everySeconds: number }

/**
 * Returns the first tick after an instant. `everySeconds` has its ticks at the multiples of its length since
 * 1970.
 * @throws Error if the expression matches no time before the year 3000
 */
export function nextTick(timing: Timing, afterMs: number): number {
  const [tickMs] = nextTicks(timing, afterMs, 1)
  if (tickMs === undefined) throw new Error(`No tick follows before the year 3000: ${JSON.stringify(timing)}`)
  return tickMs
}

/**
 * Returns the next `count` ticks after an instant; fewer if the expression matches no more times before the
 * year 3000.
 */
export function nextTicks(timing: Timing, afterMs: number, count: number): number[] {
  const ticks: number[] = []
  for (let lastMs = afterMs; ticks.length < count; ) {
    const tickMs = tickAfter(timing, lastMs)
    if (tickMs === undefined) break
    ticks.push(tickMs)
    lastMs = tickMs
  }
  return ticks
}

function tickAfter(timing: Timing, afterMs: number): number | undefined {
  if ('everySeconds' in timing) {
    const everyMs = timing.everySeconds * 1_000
    return (Math.floor(afterMs / everyMs) + 1) * everyMs
  }
  const { cron, timeZone } = timing
  const passedMs = latestLocalMs(timeZone, Math.floor(afterMs))
  const [localMs] = localTimesAfter(cron, passedMs, 1)
  return localMs === undefined ? undefined : firstInstantOf(timeZone, localMs)
}

// Number of local times that are searched at once, so that a search for few ticks does not go back for
// centuries.
const CHUNK = 10

/** Returns the last ticks after `afterMs` and until `untilMs`, at most `limit`, in their order. */
export function lastTicks(timing: Timing, afterMs: number, untilMs: number, limit: number): number[] {
  if ('everySeconds' in timing) {
    const everyMs = timing.everySeconds * 1_000
    const last = Math.floor(untilMs / everyMs)
    const count = Math.min(limit, Math.max(0, last - Math.floor(afterMs / everyMs)))
    return Array.from({ length: count }, (_, index) => (last - count + 1 + index) * everyMs)
  }
  const { cron, timeZone } = timing
  const ticks = new Set<number>()
  // Several local times that a change skips are one tick, so more local times than ticks may be needed.
  for (let beforeMs = latestLocalMs(timeZone, Math.floor(untilMs)) + 1; ticks.size < limit; ) {
    const localTimes = localTimesBefore(cron, beforeMs, Math.min(limit, CHUNK))
    for (const localMs of localTimes) {
      const tickMs = firstInstantOf(timeZone, localMs)
      if (tickMs <= afterMs || ticks.size === limit) return [...ticks].reverse()
      ticks.add(tickMs)
    }
    const earliestMs = localTimes.at(-1)
    if (earliestMs === undefined) break
    beforeMs = earliestMs
  }
  return [...ticks].reverse()
}

/**
 * Returns the delay of the task of a tick, from 0 to `jitterSeconds`. It depends on nothing but the name of
 * the schedule and the tick.
 */
export function jitterMsOf(name: string, tickMs: number, jitterSeconds: number): number {
  if (jitterSeconds === 0) return 0
  const digest = createHash('sha256').update(`${name} ${tickMs}`).digest()
  return digest.readUInt32BE(0) % (jitterSeconds * 1_000 + 1)
}

const MAX_LENGTH = 200

/** Describes why a text is no cron expression; undefined if it is one. */
export function faultOfCron(cron: string): string | undefined {
  const fields = cron.trim().split(/\s+/)
  if (cron.length > MAX_LENGTH) return `must have at most ${MAX_LENGTH} characters`
  if (fields.length !== 5 && fields.length !== 6)
    return 'must have five fields (minute, hour, day, month, day of the week), or six with seconds before them'
  // Croner takes a text with a colon as a date.
  if (!/^[\w*,/?#+ \t-]+$/.test(cron)) return 'must consist of letters, digits, spaces and * , - / ? # +'
  try {
    if (localTimesAfter(cron, 0, 1).length === 0) return 'matches no date'
  } catch (error) {
    const reason = String(error instanceof Error ? error.message : error).replace(/^Cron\w*: /, '')
    return `is not a cron expression: ${reason}`
  }
  return undefined
}

/** Returns the next `count` local times after this one that match the expression. */
function localTimesAfter(cron: string, localMs: number, count: number): number[] {
  // Croner goes on from the next whole second.
  return patternOf(cron)
    .nextRuns(count, new Date(Math.floor(localMs / 1_000) * 1_000))
    .map((date) => date.getTime())
}

/** Returns the last `count` local times before this one that match the expression, the latest first. */
function localTimesBefore(cron: string, localMs: number, count: number): number[] {
  return patternOf(cron)
    .previousRuns(count, new Date(Math.ceil(localMs / 1_000) * 1_000))
    .map((date) => date.getTime())
}

// Expressions are parsed once; schedules have few different ones.
const MAX_PATTERNS = 1_000
const patterns = new Map<string, Cron>()

function patternOf(cron: string): Cron {
  const known = patterns.get(cron)
  if (known) return known
  // With an offset instead of a time zone, Croner calculates in UTC, without changes of clocks.
  const pattern = new Cron(cron.trim(), { utcOffset: 0 })
  if (patterns.size >= MAX_PATTERNS) patterns.clear()
  patterns.set(cron, pattern)
  return pattern
}
