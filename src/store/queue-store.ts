// Which queues are paused. A queue without a row is not.

import type { Database } from './database.ts'
import { eq, sql } from './drizzle.ts'
import { pausedQueues } from './schema.ts'

/**
 * For a `where` clause over `tasks`: of a paused queue nothing is claimed and nothing is rung, from the moment on at which
 * the pause is committed. Asked once per statement, however many rows it looks at.
 */
export const NOT_PAUSED = sql`tasks.queue <> all(array(select name from paused_queues))`

/** One queue as it is now. */
export interface QueueSummary {
  name: string
  waiting: number
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

    /** What waits is left to the dispatcher, which rings it within a second. */
    async resume(name: string): Promise<void> {
      await database.use((drizzle) => drizzle.delete(pausedQueues).where(eq(pausedQueues.name, name)))
      await database.query(sql`
        update tasks set rung_at = null
        where queue = ${name} and finished_at is null and rung_at is not null and status in ('PENDING', 'RETRY')`)
    },

    /** Every queue that has unfinished tasks or is paused. */
    async summarize(): Promise<QueueSummary[]> {
      const rows = await database.query<
        Omit<QueueSummary, 'pausedAt'> & { pausedAt: string | Date | null }
      >(sql`
        select coalesce(live.queue, paused_queues.name) as name, coalesce(waiting, 0) as waiting,
               coalesce(running, 0) as running, greatest(oldest, 0) as "oldestWaitingMs", paused_at as "pausedAt"
        from (
          select queue, count(*) filter (where status <> 'STARTED')::int as waiting,
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
}
