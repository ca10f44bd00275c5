// The tables of held tasks: tasks with a limit, a priority or an expiry. Workers claim them from Postgres instead
// of fetching them from Redis, because only Postgres knows whether they may start. The tables contain unfinished
// tasks only, so they are not partitioned.
import {
  bigint,
  bigserial,
  boolean,
  index,
  integer,
  pgTable,
  primaryKey,
  smallint,
  sql,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from '../drizzle.ts'

const timestamptz = (name: string) => timestamp(name, { withTimezone: true, mode: 'date' })

/** Limits of definitions, which workers write when they start, and of queues, which operators set. */
export const limits = pgTable(
  'limits',
  {
    scope: text('scope').$type<LimitScope>().notNull(),
    /** Name of the definition or of the queue. */
    name: text('name').notNull(),
    /** Maximum number of attempts that run at the same time, for each key; null without a limit. */
    concurrency: integer('concurrency'),
    /** Maximum number of attempts that start in any `rate_per_ms`, for each key; null without a limit. */
    rateLimit: integer('rate_limit'),
    ratePerMs: bigint('rate_per_ms', { mode: 'number' }),
    /** Whether the definition has a `key` function. A process that does not know it holds no task without a key. */
    hasKeys: boolean('has_keys').notNull().default(false),
    updatedAt: timestamptz('updated_at').notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.scope, table.name] })],
)

export type LimitScope = 'definition' | 'queue'

/**
 * Groups of held tasks with the same queue, isolation, priority, definition and keys. The groups of a queue take
 * turns.
 */
export const taskGroups = pgTable(
  'task_groups',
  {
    id: bigserial('id', { mode: 'number' }).primaryKey(),
    queue: text('queue').notNull(),
    isIsolated: boolean('is_isolated').notNull(),
    /** Index of the priority in `PRIORITIES`: 0 is the highest. */
    priority: smallint('priority').notNull(),
    name: text('name').notNull(),
    concurrencyKey: text('concurrency_key').notNull(),
    rateKey: text('rate_key').notNull(),
    /**
     * Time from which on a task of the group may start, as far as is known. `infinity` if none waits, or if all
     * wait for a slot of their key: then the end of an attempt with this key sets it. Groups take turns in the
     * order of this time.
     */
    turnAt: timestamptz('turn_at').notNull(),
  },
  (table) => [
    uniqueIndex('task_groups_key').on(
      table.queue,
      table.isIsolated,
      table.priority,
      table.name,
      table.concurrencyKey,
      table.rateKey,
    ),
    index('task_groups_turns').on(table.queue, table.isIsolated, table.name, table.priority, table.turnAt),
    index('task_groups_by_turn').on(table.queue, table.isIsolated, table.turnAt),
    index('task_groups_concurrency').on(table.name, table.concurrencyKey),
  ],
)

/**
 * One row per unfinished held task. The row in `tasks` of one that waits has the `enqueued_at` `infinity`: it is not
 * in Redis, and the dispatcher does not enqueue it.
 */
export const heldTasks = pgTable(
  'held_tasks',
  {
    taskId: uuid('task_id').primaryKey(),
    groupId: bigint('group_id', { mode: 'number' }).notNull(),
    /** Queue, name and key of the group, to count running tasks without reading groups. */
    queue: text('queue').notNull(),
    name: text('name').notNull(),
    concurrencyKey: text('concurrency_key').notNull(),
    dueAt: timestamptz('due_at').notNull(),
    expiresAt: timestamptz('expires_at'),
    /** Start of the current attempt; null while the task waits. */
    startedAt: timestamptz('started_at'),
    workerId: uuid('worker_id'),
  },
  (table) => [
    index('held_tasks_waiting').on(table.groupId, table.dueAt, table.taskId).where(sql`started_at is null`),
    index('held_tasks_running').on(table.name, table.concurrencyKey).where(sql`started_at is not null`),
    index('held_tasks_running_by_queue').on(table.queue).where(sql`started_at is not null`),
    index('held_tasks_expiring')
      .on(table.expiresAt)
      .where(sql`expires_at is not null and started_at is null`),
  ],
)

/**
 * Starts of tasks with a rate limit: how many attempts have started at which time. Rows are deleted when they are
 * older than the span of their limit.
 */
export const rateUsage = pgTable(
  'rate_usage',
  {
    scope: text('scope').$type<LimitScope>().notNull(),
    name: text('name').notNull(),
    key: text('key').notNull(),
    /**
     * Time of the starts in ms since 1970 by the clock of Postgres, rounded up to a thousandth of the span. So a
     * limit has at most a thousand rows, and a start counts a little longer than it has to.
     */
    atMs: bigint('at_ms', { mode: 'number' }).notNull(),
    count: integer('count').notNull(),
  },
  (table) => [primaryKey({ columns: [table.scope, table.name, table.key, table.atMs] })],
)
