// Marks waiting tasks as enqueued or as not enqueued: sets and clears the column `enqueued_at` of `tasks`.
import type { SQL } from 'drizzle-orm'
import { inLockOrder } from './columns.ts'
import type { Database } from './database.ts'
import { sql } from './drizzle.ts'
import { isNotPaused } from './queue-store.ts'
import { recordset, texts } from './statements.ts'
import type { TaskToEnqueue } from './task-store.ts'

export type DispatchStore = ReturnType<typeof createDispatchStore>

export function createDispatchStore(database: Database) {
  return {
    /** Marks due tasks of a queue as enqueued, oldest first, and returns them. The caller enqueues them. */
    async markDueEnqueued(queue: string, limit: number): Promise<TaskToEnqueue[]> {
      return markEnqueued(
        sql`queue = ${queue} and enqueued_at is null and finished_at is null and status in ('PENDING', 'RETRY')
            and run_at <= now() and ${isNotPaused(queue)} order by run_at`,
        limit,
      )
    },

    /**
     * Returns the milliseconds until the first task of these queues that is not enqueued becomes due; null if
     * all waiting tasks are enqueued. Ignores paused queues.
     */
    async msUntilDue(queues: string[]): Promise<number | null> {
      // The lateral subquery runs once per queue, so that it reads only the first index entry of each queue.
      const rows = await database.query<{ ms: number | null }>(sql`
        select extract(epoch from min(next.run_at) - now())::float8 * 1000 as ms
        from ${texts(queues)} as given(queue), lateral (
          select run_at from tasks
          where tasks.queue = given.queue and enqueued_at is null and finished_at is null and status in ('PENDING', 'RETRY')
          order by run_at limit 1
        ) as next
        where not exists (select 1 from paused_queues where name = given.queue)`)
      return rows[0]?.ms ?? null
    },

    /**
     * Called by the reconciler: finds waiting tasks whose delivery was lost, sets their `enqueued_at` to now,
     * and returns them; the caller enqueues them. A delivery counts as lost if the task was last enqueued
     * before `before`, which the reconciler derives from the oldest delivery in Redis or from its own clock,
     * and longer than `lostAfterMs` ago by the clock of Postgres. Without the second condition, a reconciler
     * whose clock is ahead would enqueue these tasks in every round.
     */
    async markLostEnqueued(
      queue: string,
      before: Date,
      lostAfterMs: number,
      limit: number,
    ): Promise<TaskToEnqueue[]> {
      return markEnqueued(
        sql`queue = ${queue} and finished_at is null
            and enqueued_at < least(${before.toISOString()}::timestamptz, now() - ${lostAfterMs}::float8 * interval '1 ms')
            and status in ('PENDING', 'RETRY') and ${isNotPaused(queue)} order by enqueued_at`,
        limit,
      )
    },

    /**
     * Marks waiting tasks as not enqueued after their enqueue failed, so that the dispatcher enqueues them.
     */
    async clearEnqueued(refs: TaskToEnqueue[]): Promise<void> {
      await database.query(sql`
        update tasks set enqueued_at = null
        from ${recordset(inLockOrder(refs))} as given(id uuid, attempt int)
        where tasks.id = given.id and tasks.attempt = given.attempt and tasks.status in ('PENDING', 'RETRY')`)
    },
  }

  function markEnqueued(condition: SQL, limit: number): Promise<TaskToEnqueue[]> {
    return database.query(sql`
      update tasks set enqueued_at = now()
      where id in (select id from tasks where ${condition} limit ${limit} for update skip locked)
      returning id, attempt, queue`)
  }
}
