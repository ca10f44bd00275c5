// Schedules, as the API takes and returns them.
import type { AnyProject, InputOf, SubmittableName } from './project.ts'
import type { TaskStatus } from './task.ts'

/** When a schedule has ticks, and what happens at a tick. It has either `cron` or `every_seconds`. */
export interface ScheduleOptions {
  /**
   * Five fields (minute, hour, day of the month, month, day of the week), or six with seconds before them.
   */
  cron?: string
  /** Time zone of `cron`, e.g. `Europe/Berlin`. Default: `UTC`. */
  time_zone?: string
  /** Seconds between two ticks. The ticks are at the multiples of this number since 1970 (UTC). */
  every_seconds?: number
  /** At a tick while the task of the tick before it has not ended. Default: `skip`. */
  overlap?: 'allow' | 'skip' | 'wait'
  /** For ticks that were missed, because no worker ran. Default: `one`. `all` needs the overlap `allow`. */
  catch_up?: 'skip' | 'one' | 'all'
  /** Delays the start of each task by up to so many seconds. */
  jitter_seconds?: number
}

/** What a client sends to create, replace or preview a schedule. */
export type ScheduleRequest<Project extends AnyProject = AnyProject> = {
  [Name in SubmittableName<Project>]: ScheduleOptions & {
    /** Name of the definition of the tasks. */
    definition: Name
    /** Input of the tasks. */
    input: InputOf<Project, Name>
  }
}[SubmittableName<Project>]

export interface Schedule {
  name: string
  /** Name of the definition of the tasks. */
  definition: string
  input: unknown
  cron: string | null
  /** Time zone of `cron`; null without `cron`. */
  time_zone: string | null
  every_seconds: number | null
  overlap: 'allow' | 'skip' | 'wait'
  catch_up: 'skip' | 'one' | 'all'
  jitter_seconds: number
  /** `code`: part of the code of the project, which the API can only pause, resume and run. */
  source: 'code' | 'api'
  is_paused: boolean
  paused_at: string | null
  /** The next tick; null while the schedule is paused. */
  next_at: string | null
  /** A tick whose task is made when the last one has ended; null if none waits. */
  waiting_at: string | null
  /** The last tick that has made or met a task. */
  last_tick_at: string | null
  /** Ticks without a task of their own: missed, skipped, merged, or with a task that existed. */
  skipped: number
  /** Why this schedule makes no tasks in this version of the code; null if it does. */
  problem: string | null
  created_at: string
  /** When the schedule was last created or replaced. */
  updated_at: string
}

export interface ScheduleWithRuns extends Schedule {
  /** The last 20 tasks, the latest first. */
  runs: ScheduleRun[]
}

export interface ScheduleRun {
  /** The tick; for a task on request, the time of the request. */
  tick_at: string
  task_id: string
  /** Status of the task; null if it was removed. */
  status: TaskStatus | null
  /** The task was made on request. */
  is_manual: boolean
  /** The tick or the request has made no task: it has met this one, which is unique. */
  is_existing: boolean
}

export interface SchedulePage {
  data: Schedule[]
  /** `cursor` of the next page; null on the last page. */
  next_cursor: string | null
}

export interface ScheduleTick {
  tick_at: string
  /** The tick in the time zone of the schedule, with its UTC offset. */
  local_time: string
}

export interface SchedulesQuery {
  /** Maximum number of schedules per page: 1 to 200. Default: 50. */
  limit?: number
  /** The `next_cursor` of the previous page. */
  cursor?: string
}
