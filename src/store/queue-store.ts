// Pauses and resumes queues, and counts the waiting and running tasks of each queue.

import type { SQL } from 'drizzle-orm'
import type { QueuePart } from '../definitions/delivery-queue.ts'
import { isKey } from './columns.ts'
import type { Database } from './database.ts'
import { sql } from './drizzle.ts'
import { pausedQueues } from './schema.ts'

/**
 * SQL condition that excludes tasks of paused queues. Claims use it, so a claim that begins after a pause is
 * committed starts no task of the queue. The subquery runs once per statement.
 */
export const NOT_PAUSED = sql`tasks.queue <> all(array(select name from paused_queues))`

/**
 * Returns the SQL condition that a queue is not paused, for statements about one queue. It does not depend on
 * the task, so that the statement reads no tasks at all while the queue is paused.
 */
export function isNotPaused(queue: string): SQL {
  return sql`not exists (select 1 from paused_queues where name = ${queue})`
}

// Rows per statement when a queue is resumed. The number is chosen so that rows are locked for a few
// milliseconds only, because a claim may have to wait for one of them.
const RESUME_BATCH = 5_000

/** The current state of one queue. */
export interface QueueSummary {
  name: string
  /** Number of tasks in PENDING or RETRY. */
  waiting: number
  /** Number of tasks in RETRY. */
  retrying: number
  running: number
  /** Time since the oldest due task became due, in milliseconds; null if no waiting task is due. */
  oldestWaitingMs: number | null
  pausedAt: Date | null
}

export type QueueStore = ReturnType<typeof createQueueStore>

export function createQueueStore(database: Database) {
  return {
    /** Pauses a queue: its tasks cannot be claimed. Running tasks continue. Repeating it changes nothing. */
    async pause(name: string): Promise<void> {
      await database.use((drizzle) => drizzle.insert(pausedQueues).values({ name }).onConflictDoNothing())
    },

    /**
     * Ends the pause of a queue. Marks its waiting tasks as not enqueued, because workers may have dropped
     * their task references during the pause; the dispatcher enqueues them within a second. Tasks that cannot
     * be marked (their row is locked, or this process dies) are enqueued later by the reconciler.
     */
    async resume(name: string): Promise<void> {
      const [resumed] = await database.query<{ at: string }>(
        sql`delete from paused_queues where name = ${name} returning now()::text as at`,
      )
      if (!resumed) return
      for (const isIsolated of [false, true]) {
        for (let count = RESUME_BATCH; count === RESUME_BATCH; )
          count = await clearEnqueuedBatch({ queue: name, isIsolated }, resumed.at)
      }
    },

    /** Lists every queue that has unfinished tasks or is paused. */
    async summarize(): Promise<QueueSummary[]> {
      const rows = await database.maintenance.query<
        Omit<QueueSummary, 'pausedAt'> & { pausedAt: string | Date | null }
      >(sql`
        select coalesce(live.queue, paused_queues.name) as name, coalesce(waiting, 0) as waiting,
               coalesce(retrying, 0) as retrying, coalesce(running, 0) as running,
               case when oldest is null then null else greatest(oldest, 0) end as "oldestWaitingMs",
               paused_at as "pausedAt"
        from (
          select queue, count(*) filter (where status <> 'STARTED')::int as waiting,
                 count(*) filter (where status = 'RETRY')::int as retrying,
                 count(*) filter (where status = 'STARTED')::int as running,
                 extract(epoch from now() - min(run_at) filter (where status <> 'STARTED' and run_at <= now()))::float8
                   * 1000 as oldest
          from tasks where finished_at is null group by queue
        ) as live
        full join paused_queues on paused_queues.name = live.queue
        order by 1`)
      return rows.map((row) => ({ ...row, pausedAt: row.pausedAt === null ? null : new Date(row.pausedAt) }))
    },
  }

  /**
   * Marks up to `RESUME_BATCH` waiting tasks of a queue as not enqueued, if they were last enqueued at or
   * before `before`: the time at which the pause of the queue ended.
   * @returns how many tasks were marked
   */
  async function clearEnqueuedBatch({ queue, isIsolated }: QueuePart, before: string): Promise<number> {
    const statement = sql`
      with found as materialized (
        select id from tasks
        where queue = ${queue} and is_isolated = ${isIsolated} and finished_at is null and enqueued_at <= ${before}::timestamptz
          and status in ('PENDING', 'RETRY')
        order by enqueued_at limit ${RESUME_BATCH} for update skip locked
      )
      update tasks set enqueued_at = null from found where ${isKey('tasks.id', 'found.id')}
      returning tasks.id`
    const rows = await database.query(statement, { name: 'resume_tasks' })
    return rows.length
  }
}
