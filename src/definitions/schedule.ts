// Schedules: when tasks of a definition are made regularly. They stand beside the task (`schedules` of
// `defineTask`), or are created by the API.
import type { z } from 'zod'
import { messageOf } from '../base/errors.ts'
import { keyOf } from './limits.ts'
import { faultOfCron, type Timing } from './schedule-times.ts'
import { isTimeZone } from './time-zone.ts'

/** What happens at a tick while the task of the tick before it has not ended. */
export const OVERLAPS = ['allow', 'skip', 'wait'] as const
export type Overlap = (typeof OVERLAPS)[number]

/** What happens with ticks that were missed, because no worker ran. */
export const CATCH_UPS = ['skip', 'one', 'all'] as const
export type CatchUp = (typeof CATCH_UPS)[number]

/** A schedule of a task. It has either `cron` or `everySeconds`. */
export interface Schedule<Given = unknown> {
  /**
   * Unique in the project: at most 100 lower case letters, digits, underscores, hyphens and dots, beginning
   * with a letter.
   */
  name: string
  /**
   * Five fields (minute, hour, day of the month, month, day of the week), or six with seconds before them.
   */
  cron?: string
  /** Time zone of `cron`, e.g. `Europe/Berlin`. Default: `UTC`. */
  timeZone?: string
  /** Seconds between two ticks. The ticks are at the multiples of this number since 1970 (UTC). */
  everySeconds?: number
  /** Input of the tasks. */
  input: Given
  /**
   * At a tick while the task of the tick before it has not ended: `skip` makes no task (default), `allow`
   * makes one, `wait` makes one when that task has ended, and one only for several such ticks.
   */
  overlap?: Overlap
  /**
   * For ticks that were missed by more than a minute, because no worker ran: `one` makes one task for all of
   * them (default), `skip` makes none, `all` makes one for each of the last 100; `all` needs `overlap:
   * 'allow'`.
   */
  catchUp?: CatchUp
  /**
   * Delays the start of each task by up to so many seconds. The delay depends on the name and the tick only.
   */
  jitterSeconds?: number
}

/** A schedule with all defaults, as it is stored. */
export interface CompleteSchedule {
  name: string
  /** Name of the definition of its tasks. */
  definition: string
  input: unknown
  cron: string | null
  timeZone: string | null
  everySeconds: number | null
  overlap: Overlap
  catchUp: CatchUp
  jitterSeconds: number
}

/** A fault of one member of a schedule. */
export interface ScheduleFault {
  member: Exclude<keyof Schedule, 'name' | 'input'>
  detail: string
}

export const SCHEDULE_NAME = /^[a-z][a-z0-9_.-]{0,99}$/
export const MAX_EVERY_SECONDS = 366 * 24 * 3_600
export const MAX_JITTER_SECONDS = 24 * 3_600

/** Returns the schedule with its defaults. It must have no faults. */
export function completeSchedule(definition: string, schedule: Schedule): CompleteSchedule {
  const { name, input, cron = null, everySeconds = null } = schedule
  const { timeZone = 'UTC', overlap = 'skip', catchUp = 'one', jitterSeconds = 0 } = schedule
  return {
    name,
    definition,
    input,
    cron,
    timeZone: cron === null ? null : timeZone,
    everySeconds,
    overlap,
    catchUp,
    jitterSeconds,
  }
}

/** When a stored schedule has ticks. */
export function timingOf({
  cron,
  timeZone,
  everySeconds,
}: Pick<CompleteSchedule, 'cron' | 'timeZone' | 'everySeconds'>): Timing {
  return everySeconds === null ? { cron: cron ?? '', timeZone: timeZone ?? 'UTC' } : { everySeconds }
}

/** Returns all faults of a schedule, except those of its name and its input. */
export function faultsOfSchedule(schedule: Omit<Schedule, 'name' | 'input'>): ScheduleFault[] {
  const { cron, timeZone, everySeconds, overlap = 'skip', catchUp = 'one', jitterSeconds = 0 } = schedule
  const faults: ScheduleFault[] = []
  const check = (member: ScheduleFault['member'], detail: string | false | undefined) => {
    if (detail) faults.push({ member, detail })
  }
  check(
    'cron',
    cron === undefined &&
      everySeconds === undefined &&
      'is missing: a schedule needs it, or a number of seconds',
  )
  check('cron', cron !== undefined && (typeof cron === 'string' ? faultOfCron(cron) : 'must be a text'))
  check('timeZone', timeZone !== undefined && faultOfTimeZone(timeZone, cron))
  check(
    'everySeconds',
    everySeconds !== undefined && cron !== undefined && 'must not be used together with a cron expression',
  )
  check('everySeconds', everySeconds !== undefined && faultOfNumber(everySeconds, 1, MAX_EVERY_SECONDS))
  check('overlap', !OVERLAPS.includes(overlap) && `must be one of ${OVERLAPS.join(', ')}`)
  check('catchUp', !CATCH_UPS.includes(catchUp) && `must be one of ${CATCH_UPS.join(', ')}`)
  check(
    'catchUp',
    catchUp === 'all' &&
      overlap !== 'allow' &&
      '"all" needs the overlap "allow": otherwise all but one task would be skipped',
  )
  check('jitterSeconds', faultOfNumber(jitterSeconds, 0, MAX_JITTER_SECONDS))
  return faults
}

/** A definition with schedules. The keys of its limits and of `unique` must accept their inputs. */
interface Scheduled extends Partial<Record<(typeof KEYED)[number], Parameters<typeof keyOf>[2]>> {
  name: string
  input: z.ZodType
  schedules?: readonly Schedule[]
}

const KEYED = ['concurrency', 'rateLimit', 'unique'] as const

/**
 * Checks the schedules of a definition.
 * @throws Error that names the schedule, the member and the expectation
 */
export function checkSchedules(definition: Scheduled): void {
  for (const schedule of definition.schedules ?? []) {
    const fault = faultOf(schedule, definition)
    if (fault !== undefined)
      throw new Error(`Schedule "${schedule.name}" of task "${definition.name}": ${fault}`)
  }
}

const MEMBERS = [
  'name',
  'cron',
  'timeZone',
  'everySeconds',
  'input',
  'overlap',
  'catchUp',
  'jitterSeconds',
] as const satisfies (keyof Schedule)[]

function faultOf(schedule: Schedule, definition: Scheduled): string | undefined {
  if (typeof schedule.name !== 'string' || !SCHEDULE_NAME.test(schedule.name))
    return 'the name must begin with a lower case letter and have at most 100 lower case letters, digits, "_", "-" and "."'
  const unknown = Object.keys(schedule).find((member) => !(MEMBERS as readonly string[]).includes(member))
  if (unknown !== undefined) return `${unknown} is unknown: expected ${MEMBERS.join(', ')}`
  const [fault] = faultsOfSchedule(schedule)
  if (fault) return `${fault.member} ${fault.detail}`
  // The input is stored as JSON, and parsed at every tick.
  const stored: unknown = JSON.parse(JSON.stringify(schedule.input) ?? 'null')
  const parsed = definition.input.safeParse(stored)
  if (!parsed.success) return `the input is not valid: ${parsed.error.message}`
  try {
    for (const member of KEYED) keyOf(definition.name, member, definition[member], parsed.data)
    return undefined
  } catch (error) {
    return `the input is not valid: ${messageOf(error)}`
  }
}

function faultOfTimeZone(timeZone: unknown, cron: unknown): string | undefined {
  if (cron === undefined) return 'must be used together with a cron expression'
  if (typeof timeZone === 'string' && isTimeZone(timeZone)) return undefined
  return 'must be the name of a time zone, e.g. Europe/Berlin'
}

function faultOfNumber(value: unknown, min: number, max: number): string | undefined {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return undefined
  return `must be a whole number from ${min} to ${max}`
}
