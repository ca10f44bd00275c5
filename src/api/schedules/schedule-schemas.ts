// Zod schemas of the requests and responses of the routes of schedules.
import { z } from 'zod'
import { CATCH_UPS, MAX_EVERY_SECONDS, MAX_JITTER_SECONDS, OVERLAPS } from '../../definitions/schedule.ts'
import { TASK_STATUSES } from '../../definitions/task-status.ts'
import { decimal } from '../http/request-query.ts'

const timestamp = z.iso.datetime()
const count = z.int().min(0)

/**
 * Body of `PUT /v1/schedules/{name}` and of a preview. The service checks expression, time zone and input.
 */
export const scheduleRequest = z.strictObject({
  definition: z.string().meta({ description: 'Name of the definition of the tasks.' }),
  input: z.unknown().meta({ description: 'Input of the tasks.' }),
  cron: z.string().optional().meta({
    description:
      'Cron expression with five fields (minute, hour, day of the month, month, day of the week), or six with seconds before them. Either this or `every_seconds`.',
  }),
  time_zone: z
    .string()
    .optional()
    .meta({ description: 'Time zone of `cron`, such as `Europe/Berlin`. Default: `UTC`.' }),
  every_seconds: z.int().min(1).max(MAX_EVERY_SECONDS).optional().meta({
    description: 'Seconds between two ticks. The ticks are at the multiples of this number since 1970 (UTC).',
  }),
  overlap: z.enum(OVERLAPS).default('skip').meta({
    description:
      'At a tick while the task of the tick before it has not ended: `skip` makes no task, `allow` makes one, `wait` makes one when that task has ended, and only one for several such ticks.',
  }),
  catch_up: z.enum(CATCH_UPS).default('one').meta({
    description:
      'For ticks that were missed by more than a minute, because no worker ran: `one` makes one task for all of them, `skip` none, `all` one for each of the last 100 (only with the overlap `allow`).',
  }),
  jitter_seconds: z.int().min(0).max(MAX_JITTER_SECONDS).default(0).meta({
    description:
      'Delays the start of each task by up to so many seconds. The delay depends on the name and the tick only.',
  }),
})

export const schedule = z.object({
  name: z.string(),
  definition: z.string().meta({ description: 'Name of the definition of the tasks' }),
  input: z.unknown(),
  cron: z.string().nullable(),
  time_zone: z.string().nullable().meta({ description: 'Time zone of `cron`; null without `cron`' }),
  every_seconds: z.int().min(1).nullable(),
  overlap: z.enum(OVERLAPS),
  catch_up: z.enum(CATCH_UPS),
  jitter_seconds: count,
  source: z.enum(['code', 'api']).meta({
    description: '`code`: part of the code of the project, which the API can only pause, resume and run',
  }),
  is_paused: z.boolean(),
  paused_at: timestamp.nullable(),
  next_at: timestamp.nullable().meta({ description: 'The next tick; null while the schedule is paused' }),
  waiting_at: timestamp.nullable().meta({
    description: 'A tick whose task is made when the last one has ended (overlap `wait`); null if none waits',
  }),
  last_tick_at: timestamp.nullable().meta({ description: 'The last tick that has made or met a task' }),
  skipped: count.meta({
    description:
      'Ticks without a task of their own: missed, skipped, merged, or with a task that existed. At most 100 per outage count',
  }),
  problem: z.string().nullable().meta({
    description:
      'Why this schedule makes no tasks in this version of the code: its definition does not exist, or does not accept the input; null if it does',
  }),
  created_at: timestamp,
  updated_at: timestamp.meta({ description: 'When the schedule was last created or replaced' }),
})

export const scheduleRun = z.object({
  tick_at: timestamp.meta({ description: 'The tick; for a task on request, the time of the request' }),
  task_id: z.uuid(),
  status: z
    .enum(TASK_STATUSES)
    .nullable()
    .meta({ description: 'Status of the task; null if it was removed' }),
  is_manual: z.boolean().meta({ description: 'The task was made on request' }),
  is_existing: z.boolean().meta({
    description: 'The tick or the request has made no task: it has met this one, which is unique',
  }),
})

export const scheduleWithRuns = schedule.extend({
  runs: z.array(scheduleRun).meta({ description: 'The last 20 tasks, the latest first' }),
})

export const schedulePage = z.object({
  data: z.array(schedule),
  next_cursor: z
    .string()
    .nullable()
    .meta({ description: '`cursor` of the next page; null on the last page' }),
})

export const schedulePreview = z.object({
  data: z.array(
    z.object({
      tick_at: timestamp,
      local_time: z.iso.datetime({ offset: true }).meta({
        description: 'The tick in the time zone of the schedule, with its UTC offset',
      }),
    }),
  ),
})

export const schedulesQuery = z.strictObject({
  limit: decimal(z.int().min(1).max(200).default(50)).meta({
    description: 'Maximum number of schedules per page.',
  }),
  cursor: z
    .string()
    .regex(/^[a-z0-9_.-]{1,100}$/, 'must be the next_cursor of an earlier response')
    .optional()
    .meta({ description: 'The `next_cursor` of the previous page.' }),
})

export const previewQuery = z.strictObject({
  count: decimal(z.int().min(1).max(100).default(20)).meta({ description: 'Number of ticks.' }),
})

/** Schemas that have a name in the OpenAPI document. */
export const SCHEDULE_SCHEMAS = {
  Schedule: schedule,
  ScheduleRun: scheduleRun,
  ScheduleWithRuns: scheduleWithRuns,
  SchedulePage: schedulePage,
  SchedulePreview: schedulePreview,
  ScheduleRequest: scheduleRequest,
}
