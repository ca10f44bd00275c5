// Reads and changes schedules for the API.
import type { SQL } from 'drizzle-orm'
import type { CompleteSchedule } from '../definitions/schedule.ts'
import type { TaskStatus } from '../definitions/task-status.ts'
import type { Database } from './database.ts'
import { confirmed } from './database-errors.ts'
import { asc, eq, gt, sql } from './drizzle.ts'
import { inputTextOf, type NewTask, storedPriority, type UniqueResult, type UniqueTask } from './new-tasks.ts'
import { changeSchedules } from './schedule-changes.ts'
import { type ScheduleRow, schedules } from './schedule-tables.ts'
import { storedRequestId } from './task-columns.ts'
import { insertScheduled } from './unique/insert-scheduled.ts'

/** A task that a schedule has made or met. `status` is null if the task was removed. */
export interface ScheduleRun {
  tickAt: Date
  taskId: string
  isManual: boolean
  /** Whether the task existed, and none was made. */
  isExisting: boolean
  status: TaskStatus | null
}

export type ScheduleStore = ReturnType<typeof createScheduleStore>

export function createScheduleStore(database: Database) {
  return {
    /** The time of Postgres, in ms since 1970. */
    async nowMs(): Promise<number> {
      const [row] = await database.reads.query<{ ms: number }>(
        sql`select extract(epoch from now())::float8 * 1000 as ms`,
        { name: 'now' },
      )
      return (row as { ms: number }).ms
    },

    async find(name: string): Promise<ScheduleRow | undefined> {
      const [row] = await database.reads.use((drizzle) =>
        drizzle.select().from(schedules).where(eq(schedules.name, name)),
      )
      return row
    },

    /**
     * Lists schedules in the order of their names. `next` is the `after` of the next page; null on the last
     * one.
     */
    async list({ after, limit }: { after?: string; limit: number }) {
      const found = await database.reads.use((drizzle) =>
        drizzle
          .select()
          .from(schedules)
          .where(gt(schedules.name, after ?? ''))
          .orderBy(asc(schedules.name))
          .limit(limit + 1),
      )
      const rows = found.slice(0, limit)
      return { rows, next: found.length > limit ? (rows.at(-1)?.name ?? null) : null }
    },

    /** Returns the last tasks that a schedule has made or met, the latest first. */
    runsOf(name: string, limit: number): Promise<ScheduleRun[]> {
      return database.reads.query<ScheduleRun>(
        sql`select tick_at as "tickAt", task_id as "taskId", is_manual as "isManual", is_existing as "isExisting",
              (select status from tasks where tasks.id = schedule_runs.task_id) as status
            from schedule_runs where schedule = ${name} order by tick_at desc limit ${limit}::int`,
        { name: 'list_schedule_runs' },
      )
    },

    /**
     * Creates or replaces a schedule, see `changeSchedules`.
     * @returns whether it was created; null if the schedule is part of the code, and was not changed
     */
    async put(schedule: CompleteSchedule, nextMs: number): Promise<{ isNew: boolean } | null> {
      const [written] = await database.query<{ isNew: boolean }>(changeSchedules([schedule], [nextMs], 'api'))
      return written ?? null
    },

    /**
     * Deletes a schedule that is not part of the code, with its runs. Its tasks stay. @returns whether it
     * existed
     */
    async remove(name: string): Promise<boolean> {
      const rows = await database.query(sql`
        with removed as (
          delete from schedules where name = ${name} and source = 'api' returning name
        ), runs as (
          delete from schedule_runs using removed where schedule_runs.schedule = removed.name
        )
        select name from removed`)
      return rows.length > 0
    },

    /** Pauses a schedule. A waiting tick makes no task any more. @returns whether the schedule exists */
    async pause(name: string): Promise<boolean> {
      const rows = await database.query(sql`
        update schedules set paused_at = coalesce(paused_at, now()), waiting_at = null, version = version + 1
        where name = ${name} returning name`)
      return rows.length > 0
    },

    /**
     * Ends the pause of a schedule. A schedule that is not paused is not changed.
     * @param version that of the schedule for which the next tick was found
     * @returns false if the schedule has another version
     */
    async resume(name: string, version: number, nextMs: number): Promise<boolean> {
      const rows = await database.query(sql`
        update schedules set next_at = case when paused_at is null then next_at else to_timestamp(${nextMs}::float8 / 1000) end,
          paused_at = null, version = version + 1
        where name = ${name} and version = ${version}::int returning name`)
      return rows.length > 0
    },

    /**
     * Inserts a task that a schedule makes on request, and records it. The dispatcher enqueues the task.
     * @returns whether the schedule exists
     * @throws AppError `outcome_unknown` if Postgres did not confirm the statement
     */
    async run(schedule: string, task: NewTask): Promise<boolean> {
      const request = storedRequestId(task.requestId)
      const statement = sql`
        ${recordRun(schedule, task.id)}
        insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, is_isolated, created_at, run_at,
                           request_uuid, request_text, traceparent, priority)
        select ${task.id}::uuid, ${task.name}, ${task.queue}, 'PENDING', ${inputTextOf(task)}::json, ${task.maxRetries}::int,
          ${task.timeoutMs}::int, ${task.isIsolated ?? false}::boolean, ${task.createdAt.toISOString()}::timestamptz,
          least(now(), ${task.createdAt.toISOString()}::timestamptz),
          ${request.uuid ?? null}::uuid, ${request.text ?? null}::text, ${task.traceparent ?? null}::text,
          ${storedPriority(task) ?? null}::text
        from run
        returning id`
      const rows = await confirmed(database.query(statement), UNCONFIRMED_RUN)
      return rows.length > 0
    },

    /**
     * Like `run`, for a unique task. If it meets another one, that one is recorded. The caller must hold the
     * tasks in `toHold`.
     * @returns null if the schedule does not exist
     */
    async runUnique(schedule: string, task: UniqueTask): Promise<UniqueResult | null> {
      const made = database.transaction(async (transaction) => {
        const found = await transaction.query(sql`${recordRun(schedule, task.id)} select name from run`)
        return found.length > 0 ? insertScheduled(transaction, [{ schedule, task }]) : []
      })
      const [result = null] = await confirmed(made, UNCONFIRMED_RUN)
      return result
    },
  }
}

const UNCONFIRMED_RUN =
  'Postgres did not confirm the task: it may have been made. The last runs of the schedule show it'

/** Records a task that is made on request, if the schedule exists: `run` has its name. */
function recordRun(schedule: string, taskId: string): SQL {
  return sql`
    with run as (
      update schedules set version = version + 1,
        -- What has not ended still counts for overlaps.
        last_task_ids = array(
          select id from unnest(last_task_ids) as last(id)
          where (select finished_at is null from tasks where tasks.id = last.id)) || ${taskId}::uuid
      where name = ${schedule} returning name
    ), recorded as (
      insert into schedule_runs (schedule, tick_at, task_id, is_manual)
      select name, clock_timestamp(), ${taskId}::uuid, true from run
    )`
}
