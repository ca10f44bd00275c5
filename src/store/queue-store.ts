// Which queues are paused. A queue without a row is not.

import type { SQL } from 'drizzle-orm'
import type { Database } from './database.ts'
import { sql } from './drizzle.ts'
import { pausedQueues } from './schema.ts'

/**
 * For a `where` clause over `tasks` of any queues: of a paused one nothing is claimed from the moment on at which the pause
 * is committed. Asked once per statement, however many rows it looks at.
 */
export const NOT_PAUSED = sql`tasks.queue <> all(array(select name from paused_queues))`

/** The same for a statement about one queue: where it is paused, no row is looked at. */
export function isNotPaused(queue: string): SQL {
  return sql`not exists (select 1 from paused_queues where name = ${queue})`
}

// Rows that are locked for some milliseconds only: a claim may be waiting for one of them.
const RESUME_BATCH = 5_000

/** One queue as it is now. */
export interface QueueSummary {
  name: string
  /** Those that wait for their first attempt and those that wait for another: PENDING and RETRY. */
  waiting: number
  /** Of `waiting`, those that wait for another. */
  retrying: number
  running: number
  /** By how much the task that has been due for longest is late, in milliseconds; null when none is due. */
  oldestWaitingMs: number | null
  pausedAt: Date | null
}

export type QueueStore = ReturnType<typeof createQueueStore>

export function createQueueStore(database: Database) {
  return {
    /** Nothing of this queue starts any more; what runs goes on. Repeating it changes nothing. */
    async pause(name: string): Promise<void> {
      await database.use((drizzle) => drizzle.insert(pausedQueues).values({ name }).onConflictDoNothing())
    },

    /**
     * What waits is left to the dispatcher, which rings it within a second. What is locked at this moment, and what is
     * left when this process dies, is found by the reconciler.
     */
    async resume(name: string): Promise<void> {
      const [resumed] = await database.query<{ at: string }>(
        sql`delete from paused_queues where name = ${name} returning now()::text as at`,
      )
      if (!resumed) return
      for (let count = RESUME_BATCH; count === RESUME_BATCH; )
        count = await clearEnqueuedBatch(name, resumed.at)
    },

    /** Every queue that has unfinished tasks or is paused. */
    async summarize(): Promise<QueueSummary[]> {
      const rows = await database.query<
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

  /** @returns how many there were, up to a batch, that had been rung before the moment */
  async function clearEnqueuedBatch(queue: string, before: string): Promise<number> {
    const rows = await database.query(sql`
      update tasks set enqueued_at = null
      where id in (
        select id from tasks
        where queue = ${queue} and finished_at is null and enqueued_at <= ${before}::timestamptz
          and status in ('PENDING', 'RETRY')
        order by enqueued_at limit ${RESUME_BATCH} for update skip locked
      )
      returning id`)
    return rows.length
  }
}
