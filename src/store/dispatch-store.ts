// Marks waiting tasks as enqueued or as not enqueued: sets and clears the column `enqueued_at` of `tasks`.
// All names of queues here are those of delivery queues (definitions/delivery-queue.ts).
import type { SQL } from 'drizzle-orm'
import { firstIdOf } from '../base/uuidv7.ts'
import { queuePartOf } from '../definitions/delivery-queue.ts'
import { IS_GIVEN, inLockOrder, isKey } from './columns.ts'
import type { Database } from './database.ts'
import { sql } from './drizzle.ts'
import { MUST_BE_HELD } from './held/conditions.ts'
import { isNotPaused } from './queue-store.ts'
import { recordset, texts } from './statements.ts'
import type { RetriedTask, TaskToEnqueue } from './task-store.ts'

export type DispatchStore = ReturnType<typeof createDispatchStore>

/**
 * A due task that was marked as enqueued. `runAtMs` is its `run_at` in ms since 1970. The caller must hold it
 * instead of enqueuing it if `isHeld` is true.
 */
export type DueTask = RetriedTask & { runAtMs: number }

/** Position in the order of due tasks: that of the last task that was marked. */
export type DueCursor = Pick<DueTask, 'runAtMs' | 'id'>

/** Names of delivery queues. */
export interface QueueStates {
  paused: Set<string>
  limited: Set<string>
}

const START: DueCursor = { runAtMs: 0, id: firstIdOf(0) }

export function createDispatchStore(database: Database) {
  return {
    /**
     * Marks due tasks of a queue as enqueued and returns them, oldest first. The caller enqueues them.
     * @param after skips all tasks up to this one. A caller that goes on after its last batch reads no index
     *   entries of rows that it has already marked: these stay in the index as long as any transaction can
     *   see them
     */
    async markDueEnqueued(deliveryQueue: string, limit: number, after = START): Promise<DueTask[]> {
      const { queue } = queuePartOf(deliveryQueue)
      const statement = sql`
        with due as materialized (
          select id from tasks
          where ${isIn(deliveryQueue)} and enqueued_at is null and finished_at is null and status in ('PENDING', 'RETRY')
            and (run_at, id) > (to_timestamp(${after.runAtMs}::float8 / 1000), ${after.id}::uuid)
            and run_at <= now() and ${isNotPaused(queue)}
          order by run_at, id limit ${limit} for update skip locked
        )
        update tasks set enqueued_at = now() from due where ${isKey('tasks.id', 'due.id')}
        returning tasks.id, name, priority, attempt, queue, is_isolated as "isIsolated", ${MUST_BE_HELD} as "isHeld", extract(epoch from enqueued_at)::float8 * 1000 as "enqueuedAtMs",
                  extract(epoch from run_at)::float8 * 1000 as "runAtMs"`
      const tasks = await database.query<DueTask>(statement, { name: 'mark_due_enqueued' })
      // `returning` has no order.
      return tasks.sort((a, b) => a.runAtMs - b.runAtMs || (a.id < b.id ? -1 : 1))
    },

    /** Returns which of these queues are paused, and which have limits. */
    async statesOf(deliveryQueues: string[]): Promise<QueueStates> {
      const queues = deliveryQueues.map((name) => queuePartOf(name).queue)
      const rows = await database.query<{ name: string; isPaused: boolean }>(
        sql`
          select name, true as "isPaused" from paused_queues where name in (select value from ${texts(queues)})
          union all
          select name, false from limits where scope = 'queue' and name in (select value from ${texts(queues)})`,
        { name: 'states_of_queues' },
      )
      const among = (wanted: boolean) => {
        const names = new Set(rows.filter(({ isPaused }) => isPaused === wanted).map(({ name }) => name))
        return new Set(deliveryQueues.filter((name) => names.has(queuePartOf(name).queue)))
      }
      return { paused: among(true), limited: among(false) }
    },

    /**
     * Returns which of these queues have unfinished tasks that run in isolated processes. Two conditions,
     * because `tasks_to_enqueue` and `tasks_enqueued` are partial indexes, and each condition can use one of
     * them. The order makes the planner use them also if the table is empty when it plans.
     */
    async withIsolatedTasks(queues: string[]): Promise<string[]> {
      const isUnfinished = sql`queue = value and is_isolated and finished_at is null`
      const statement = sql`
        select value as queue from ${texts(queues)} where
          (select true from tasks where ${isUnfinished} and enqueued_at is null order by run_at limit 1)
          or (select true from tasks where ${isUnfinished} and enqueued_at is not null order by enqueued_at limit 1)`
      const rows = await database.query<{ queue: string }>(statement, { name: 'with_isolated_tasks' })
      return rows.map(({ queue }) => queue)
    },

    /**
     * Returns the milliseconds until the first task of these queues that is not enqueued becomes due; null if
     * all waiting tasks are enqueued. Ignores paused queues.
     */
    async msUntilDue(deliveryQueues: string[]): Promise<number | null> {
      const parts = deliveryQueues.map(queuePartOf)
      // The lateral subquery runs once per queue, so that it reads only the first index entry of each queue.
      const statement = sql`
        select extract(epoch from min(next.run_at) - now())::float8 * 1000 as ms
        from ${recordset(parts)} as given(queue text, "isIsolated" boolean), lateral (
          select run_at from tasks
          where tasks.queue = given.queue and is_isolated = given."isIsolated" and enqueued_at is null and finished_at is null and status in ('PENDING', 'RETRY')
          order by run_at limit 1
        ) as next
        where not exists (select 1 from paused_queues where name = given.queue)`
      const rows = await database.query<{ ms: number | null }>(statement, { name: 'ms_until_due' })
      return rows[0]?.ms ?? null
    },

    /**
     * Called by the reconciler: marks waiting tasks of a queue whose delivery was lost as not enqueued, so
     * that the dispatcher enqueues them again. A delivery counts as lost if its task was enqueued more than
     * `lostAfterMs` before the oldest delivery in Redis, and longer than `lostAfterMs` ago. All times are by
     * the clock of Postgres.
     * @param oldestMs when the tasks of the oldest delivery were enqueued (ms since 1970); null if Redis has
     *   no delivery of the queue
     * @returns how many tasks were marked
     */
    async clearLost(
      deliveryQueue: string,
      oldestMs: number | null,
      lostAfterMs: number,
      limit: number,
    ): Promise<number> {
      const { queue } = queuePartOf(deliveryQueue)
      const statement = sql`
        with lost as materialized (
          select id from tasks
          where ${isIn(deliveryQueue)} and finished_at is null and status in ('PENDING', 'RETRY') and ${isNotPaused(queue)}
            and enqueued_at < least(now(), to_timestamp(${oldestMs}::float8 / 1000)) - ${lostAfterMs}::float8 * interval '1 ms'
          order by enqueued_at limit ${limit} for update skip locked
        )
        update tasks set enqueued_at = null from lost where ${isKey('tasks.id', 'lost.id')}
        returning tasks.id`
      const rows = await database.query(statement, { name: 'clear_lost' })
      return rows.length
    },

    /** Makes the next attempts of a task that this worker has claimed run in isolated processes. */
    async isolate({ id, attempt }: Pick<TaskToEnqueue, 'id' | 'attempt'>, workerId: string): Promise<void> {
      const statement = sql`
        update tasks set is_isolated = true
        where id = ${id}::uuid and attempt = ${attempt} and worker_id = ${workerId}::uuid and status = 'STARTED'`
      await database.query(statement, { name: 'isolate_task' })
    },

    /**
     * Marks waiting tasks as not enqueued, because Redis failed or refused them. The dispatcher enqueues
     * them.
     */
    async clearEnqueued(refs: Pick<TaskToEnqueue, 'id' | 'attempt'>[]): Promise<void> {
      const records = inLockOrder(refs).map(({ id, attempt }) => ({ id, attempt }))
      const statement = sql`
        update tasks set enqueued_at = null
        from ${recordset(records)} as given(id uuid, attempt int)
        where ${IS_GIVEN} and tasks.attempt = given.attempt and tasks.status in ('PENDING', 'RETRY')`
      await database.query(statement, { name: 'clear_enqueued' })
    },
  }
}

/** SQL condition that selects the tasks of a delivery queue. */
function isIn(deliveryQueue: string): SQL {
  const { queue, isIsolated } = queuePartOf(deliveryQueue)
  return sql`queue = ${queue} and is_isolated = ${isIsolated}`
}
