// Faults of schedules, and the errors that clients get for them.
import { AppError } from '../base/errors.ts'
import { faultsOfSchedule, SCHEDULE_NAME, type ScheduleFault } from '../definitions/schedule.ts'
import type { ScheduleRow } from '../store/schedule-tables.ts'

/**
 * Describes a fault of the times of a stored schedule, which another version of the code or of Node has
 * accepted.
 */
export function faultOfTimes({ cron, timeZone, everySeconds }: ScheduleRow): string | undefined {
  const [fault] = faultsOfSchedule({
    cron: cron ?? undefined,
    timeZone: timeZone ?? undefined,
    everySeconds: everySeconds ?? undefined,
  })
  return fault && `${MEMBER_NAMES[fault.member]} ${fault.detail}`
}

/** @throws AppError `schedule_refused` if the ticks of the schedule cannot be found here */
export function requireTimes(row: ScheduleRow): void {
  const fault = faultOfTimes(row)
  if (fault !== undefined)
    throw new AppError('schedule_refused', `Schedule "${row.name}" has no ticks: ${fault}`)
}

/** Names of the members in requests. */
export const MEMBER_NAMES: Record<ScheduleFault['member'], string> = {
  cron: 'cron',
  timeZone: 'time_zone',
  everySeconds: 'every_seconds',
  overlap: 'overlap',
  catchUp: 'catch_up',
  jitterSeconds: 'jitter_seconds',
}

export function checkName(name: string): void {
  if (SCHEDULE_NAME.test(name)) return
  throw new AppError(
    'unknown_schedule',
    `"${name.slice(0, 100)}" is not a valid name of a schedule: at most 100 lower case letters, digits, "_", "-" and ".", beginning with a letter`,
  )
}

export function unknownSchedule(name: string): AppError {
  return new AppError('unknown_schedule', `There is no schedule "${name.slice(0, 100)}"`)
}

export function scheduleInCode(name: string): AppError {
  return new AppError(
    'schedule_in_code',
    `Schedule "${name}" is part of the code of the project: change it there. It can be paused, resumed and run here`,
  )
}
