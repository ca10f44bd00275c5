// Pauses and resumes queues, and reads how many tasks of each queue wait and run.

import type { SQL } from 'drizzle-orm'
import { AppError } from '../base/errors.ts'
import { pause } from '../base/loop.ts'
import type { QueuePart } from '../definitions/delivery-queue.ts'
import type { Limits } from '../definitions/limits.ts'
import { isKey } from './columns.ts'
import type { Database } from './database.ts'
import { sql } from './drizzle.ts'
import { countQueues, IS_COUNT_DUE } from './queue-counts.ts'
import { pausedQueues, type QueueCount } from './schema.ts'

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
const RESUME_BATCH = 1_000
// How long a call waits for a new count. A count of 20,000 tasks is over by then.
const MAX_WAIT_MS = 40
// How long a call waits for the first count. Usually the first one is made while there are few tasks.
const FIRST_COUNT_MS = 5_000

/** The state of one queue: its tasks according to the last count, and its pause and limits now. */
export interface QueueSummary extends QueueCount {
  pausedAt: Date | null
  /** Null if the queue has no limits. */
  limits: Limits | null
}

/** The last count of all queues. */
export interface QueueSummaries {
  /** When the count has started. Changes of tasks since then may not be in it. */
  countedAt: Date
  /** Every queue that had unfinished tasks, is paused, or has limits. */
  queues: QueueSummary[]
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
      if (resumed) await clearEnqueued(name, resumed.at)
    },

    /**
     * Sets the limits of a queue; null removes them. They apply to all tasks that start from now on. Marks the
     * waiting tasks as not enqueued, like `resume`: the dispatcher holds them, because claims do not start tasks of a
     * queue with limits that are in Redis.
     */
    async setLimits(name: string, limits: Limits | null): Promise<void> {
      const { concurrency = null, rate = null } = limits ?? {}
      const [written] = await database.query<{ at: string }>(
        limits
          ? sql`
              insert into limits (scope, name, concurrency, rate_limit, rate_per_ms)
              values ('queue', ${name}, ${concurrency}::int, ${rate?.limit ?? null}::int, ${rate?.perMs ?? null}::bigint)
              on conflict (scope, name) do update set concurrency = excluded.concurrency, rate_limit = excluded.rate_limit,
                rate_per_ms = excluded.rate_per_ms, updated_at = now()
              returning now()::text as at`
          : sql`delete from limits where scope = 'queue' and name = ${name} returning now()::text as at`,
      )
      if (written && limits) await clearEnqueued(name, written.at)
    },

    /**
     * Reads the last count of the tasks of all queues, and which queues are paused. If a new count is due,
     * starts it, and waits for its result for `MAX_WAIT_MS`.
     * @throws AppError `unavailable` if there is no result of any count after `FIRST_COUNT_MS`
     */
    async summarize(): Promise<QueueSummaries> {
      const last = await readLast()
      if (!last.isDue && last.countedAt !== null) return summariesOf(last, last.countedAt)
      const counting = countQueues(database)
      await Promise.race([counting, pause(MAX_WAIT_MS)])
      // The count goes on. If it fails, the next call starts a new one.
      counting.catch(() => {})
      const giveUpMs = performance.now() + FIRST_COUNT_MS
      for (;;) {
        const newest = await readLast()
        if (newest.countedAt !== null) return summariesOf(newest, newest.countedAt)
        if (performance.now() > giveUpMs)
          throw new AppError(
            'unavailable',
            'The tasks of all queues are being counted for the first time; try again',
          )
        await pause(MAX_WAIT_MS)
      }
    },
  }

  /** Marks the waiting tasks of a queue that were enqueued until then as not enqueued. */
  async function clearEnqueued(queue: string, at: string): Promise<void> {
    for (const isIsolated of [false, true]) {
      for (let from: string | null = '-infinity'; from !== null; )
        from = await clearEnqueuedBatch({ queue, isIsolated }, from, at)
    }
  }

  async function readLast(): Promise<LastCount> {
    const [row] = await database.maintenance.query<LastCount>(sql`
      select counted_at::text as "countedAt", coalesce(counts, '[]') as counts, ${IS_COUNT_DUE} as "isDue",
             coalesce((select json_agg(json_build_object('name', name, 'pausedAt', paused_at)) from paused_queues), '[]') as paused,
             coalesce((select json_agg(json_build_object(
               'name', name, 'concurrency', concurrency, 'rateLimit', rate_limit, 'ratePerMs', rate_per_ms))
               from limits where scope = 'queue'), '[]') as limited
      from (select 1) as always left join queue_counts on true`)
    return row as LastCount
  }

  /**
   * Marks up to `RESUME_BATCH` waiting tasks of a queue as not enqueued, in the order in which they were enqueued.
   * @param from time from which on tasks were enqueued: that of the last task of the batch before
   * @param to last of these times, at which the pause of the queue ended
   * @returns `from` of the next batch; null if this one was the last
   */
  async function clearEnqueuedBatch(
    { queue, isIsolated }: QueuePart,
    from: string,
    to: string,
  ): Promise<string | null> {
    const statement = sql`
      with found as materialized (
        select id, enqueued_at from tasks
        where queue = ${queue} and is_isolated = ${isIsolated} and finished_at is null
          and enqueued_at >= ${from}::timestamptz and enqueued_at <= ${to}::timestamptz
          and status in ('PENDING', 'RETRY')
        order by enqueued_at limit ${RESUME_BATCH} for update skip locked
      ), resumed as (
        update tasks set enqueued_at = null from found where ${isKey('tasks.id', 'found.id')}
      )
      select count(*)::int as count, max(enqueued_at)::text as last from found`
    const [batch] = await database.query<{ count: number; last: string | null }>(statement, {
      name: 'resume_tasks',
    })
    return batch?.count === RESUME_BATCH ? batch.last : null
  }
}

/** The row of `queue_counts`, and the paused queues. Times are those of Postgres as text. */
interface LastCount {
  countedAt: string | null
  counts: QueueCount[]
  isDue: boolean
  paused: { name: string; pausedAt: string }[]
  limited: { name: string; concurrency: number | null; rateLimit: number | null; ratePerMs: number | null }[]
}

function summariesOf({ counts, paused, limited }: LastCount, countedAt: string): QueueSummaries {
  const pausedAt = new Map(paused.map(({ name, pausedAt }) => [name, new Date(pausedAt)]))
  const limits = new Map(limited.map(({ name, ...record }) => [name, limitsOfRecord(record)]))
  const counted = new Map(counts.map((count) => [count.name, count]))
  const names = new Set([...counted.keys(), ...pausedAt.keys(), ...limits.keys()])
  return {
    countedAt: new Date(countedAt),
    queues: [...names].map((name) => ({
      ...NO_TASKS,
      ...counted.get(name),
      name,
      pausedAt: pausedAt.get(name) ?? null,
      limits: limits.get(name) ?? null,
    })),
  }
}

function limitsOfRecord({
  concurrency,
  rateLimit,
  ratePerMs,
}: Omit<LastCount['limited'][number], 'name'>): Limits {
  const rate = rateLimit !== null && ratePerMs !== null ? { limit: rateLimit, perMs: ratePerMs } : null
  return { concurrency, rate }
}

const NO_TASKS = { waiting: 0, retrying: 0, running: 0, held: 0, oldestWaitingMs: null }
