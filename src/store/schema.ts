// Defines the tables of the database. `npm run migrations` generates migrations from this file.
//
// `tasks`, `attempts` and `task_logs` are partitioned by ranges of the id of the task (partitions/). Drizzle
// cannot express this: only the initial migration contains it.
//
// The indexes of `tasks` are chosen so that a claim changes no indexed column and no column of an index
// condition. Postgres can then write the new row version to the same page without updating an index (a HOT
// update). For this reason, indexes find waiting and running tasks by `finished_at is null` and not by
// status.

import type { TaskError, TaskStatus } from '../definitions/task-status.ts'
import {
  bigint,
  bigserial,
  boolean,
  index,
  integer,
  json,
  pgTable,
  primaryKey,
  real,
  smallint,
  sql,
  text,
  timestamp,
  uuid,
} from './drizzle.ts'

/**
 * SQL condition of the index `tasks_unsuccessful`: the task has ended, and it failed or its cancellation was
 * requested. A task can succeed although its cancellation was requested.
 */
export const IS_UNSUCCESSFUL = sql`(finished_at is not null and (error is not null or cancel_requested_at is not null))`
/**
 * SQL condition of the index `tasks_late`: the task ended more than an hour (`LATE_MS`) after its submission.
 */
export const IS_LATE = sql`finished_at - created_at > interval '1 hour'`

/** A time with milliseconds. */
export const timestamptz = (name: string) =>
  timestamp(name, { withTimezone: true, precision: 3, mode: 'date' })

export const tasks = pgTable(
  'tasks',
  {
    /**
     * UUIDv7: ids are ordered by the time of submission, so lists use the primary key. The table is
     * partitioned by ranges of this column.
     */
    id: uuid('id').primaryKey(),
    // Columns of a fixed size come first, the largest ones before the others: then Postgres adds no padding.
    workerId: uuid('worker_id'),
    /** X-Request-Id of the submission if it is a UUID in lower case; otherwise null. */
    requestUuid: uuid('request_uuid'),
    /** Earliest start of the first attempt; after a failed attempt, earliest start of the next one. */
    runAt: timestamptz('run_at').notNull(),
    createdAt: timestamptz('created_at').notNull(),
    /**
     * When the task was last marked as enqueued in Redis. Null if the dispatcher has to enqueue it, and if
     * the task has ended. A STARTED task always has it. `infinity` if the task waits as a held task
     * (held/schema.ts).
     */
    enqueuedAt: timestamptz('enqueued_at'),
    startedAt: timestamptz('started_at'),
    finishedAt: timestamptz('finished_at'),
    cancelRequestedAt: timestamptz('cancel_requested_at'),
    /**
     * Number of the current or last attempt; it only grows. Claims and ends of another attempt are refused.
     */
    attempt: integer('attempt').notNull().default(0),
    /** Number of failed attempts that count towards `max_retries`. A manual retry resets it to 0. */
    failures: integer('failures').notNull().default(0),
    maxRetries: integer('max_retries').notNull(),
    timeoutMs: integer('timeout_ms').notNull(),
    /** Incremented by every change of the row that API clients can see. The API uses it as the ETag. */
    version: integer('version').notNull().default(0),
    progressFraction: real('progress_fraction').notNull().default(0),
    /** Number of attempts during which the process of their worker crashed. */
    crashes: smallint('crashes').notNull().default(0),
    /**
     * Whether attempts run in an isolated process: the definition requires it, or the process of a worker
     * crashed while it ran the task.
     */
    isIsolated: boolean('is_isolated').notNull().default(false),
    name: text('name').notNull(),
    queue: text('queue').notNull(),
    status: text('status').$type<TaskStatus>().notNull(),
    /** The type is `json`, not `jsonb`, because `json` keeps the submitted text with its order of keys. */
    input: json('input').notNull(),
    result: json('result'),
    error: json('error').$type<TaskError>(),
    progressMessage: text('progress_message'),
    /** Null if the task has no tags. */
    tags: text('tags').array(),
    /** X-Request-Id of the submission if it is not stored in `request_uuid`. */
    requestText: text('request_text'),
    replayedFrom: uuid('replayed_from'),
    /** W3C Trace Context (header `traceparent`) of the submission. */
    traceparent: text('traceparent'),
    /** In a callback: the id of the finished task that the callback posts. Null in all other tasks. */
    parentId: uuid('parent_id'),
    /** URL to which a callback posts the task when it has ended; null if none was requested. */
    callbackUrl: text('callback_url'),
    /**
     * Id of the callback: the task that posts this one to `callback_url`. Null until the callback is created,
     * and again after a manual retry.
     */
    callbackId: uuid('callback_id'),
    /** Priority; null if it is normal. */
    priority: text('priority').$type<'high' | 'low'>(),
    /** If the task has not started by then, it ends as CANCELLED; null if it does not expire. */
    expiresAt: timestamptz('expires_at'),
  },
  (table) => [
    // Index for the dispatcher: tasks that still have to be enqueued (tasks with a delay, retries, the
    // backlog of a full queue). Usually it is small. It contains the id, so that the dispatcher can go on
    // after the last one of many tasks with the same time.
    index('tasks_to_enqueue')
      .on(table.queue, table.isIsolated, table.runAt, table.id)
      .where(sql`enqueued_at is null and finished_at is null`),
    // Index for the reconciler, which finds lost deliveries: unfinished tasks in the order of their last
    // enqueue. It leaves out tasks that are not enqueued: otherwise the planner could use it instead of
    // `tasks_to_enqueue`, and each batch of the dispatcher would read and sort the whole backlog.
    index('tasks_enqueued')
      .on(table.queue, table.isIsolated, table.enqueuedAt)
      .where(sql`finished_at is null and enqueued_at is not null`),
    // Index of finished tasks whose callback still has to be created. Usually it is empty.
    index('tasks_to_call_back')
      .on(table.finishedAt)
      .where(sql`callback_url is not null and callback_id is null and finished_at is not null`),
    // Indexes for the lists of unfinished tasks (`tasks_live`) and of failed or cancelled tasks, newest
    // first. Their conditions do not contain the status, so that a claim changes no index (a HOT update).
    index('tasks_live').on(table.id).where(sql`finished_at is null`),
    index('tasks_unsuccessful').on(table.id).where(IS_UNSUCCESSFUL),
    // Index of tasks that ended more than an hour after their submission (`LATE_MS` in partitions/). With it,
    // retention finds the tasks that ended later than most tasks of their partition, without reading the
    // partition.
    index('tasks_late').on(table.finishedAt, table.id).where(IS_LATE),
  ],
)

/**
 * Attempts that failed or were lost with their worker. A successful attempt has its result in `tasks`. The
 * statements that insert here guarantee that the task exists: a foreign key between partitioned tables would
 * make it impossible to drop a partition without reading the others.
 */
export const attempts = pgTable(
  'attempts',
  {
    id: bigserial('id', { mode: 'number' }).notNull(),
    taskId: uuid('task_id').notNull(),
    attempt: integer('attempt').notNull(),
    error: json('error').$type<TaskError>().notNull(),
    workerId: uuid('worker_id'),
    startedAt: timestamptz('started_at'),
    endedAt: timestamptz('ended_at').notNull().defaultNow(),
    /** The late end of this attempt; null if there is none. */
    refused: json('refused').$type<RefusedEnd>(),
  },
  (table) => [
    primaryKey({ columns: [table.taskId, table.id] }),
    // Index of late ends. Usually it is empty. With it, retention finds the late ends that were recorded
    // while it copied their tasks.
    index('attempts_refused').on(table.taskId).where(sql`refused is not null`),
  ],
)

/**
 * The end of an attempt that came too late: it had been given up, another one had begun, or the task had
 * ended.
 */
export interface RefusedEnd {
  /** ISO 8601. */
  at: string
  status: 'SUCCESS' | 'FAILURE' | 'CANCELLED' | 'RETRY' | 'PENDING'
  /** Result as JSON text, or its first 16 KiB if `isResultCut`. */
  result?: string
  isResultCut?: true
  error?: TaskError
  /** The last lines that the attempt has logged, each with its fields as JSON. */
  log: { at: string; message: string }[]
}

/** Lines that task code has logged (`log` of the task context). Number and size per attempt are limited. */
export const taskLogs = pgTable(
  'task_logs',
  {
    /** Ids grow in the order of insertion. Clients use the last id that they have read as a cursor. */
    id: bigserial('id', { mode: 'number' }).notNull(),
    taskId: uuid('task_id').notNull(),
    attempt: integer('attempt').notNull(),
    /** When the line was logged, by the clock of the worker. */
    at: timestamptz('at').notNull(),
    message: text('message').notNull(),
    fields: json('fields').$type<Record<string, unknown>>(),
  },
  (table) => [primaryKey({ columns: [table.taskId, table.id] })],
)

/**
 * Idempotency keys of submissions. A row stores the parts of the first response that cannot be rebuilt from a
 * repeated request: the id of the task, its `run_at`, the request id and the trace context. It can outlive
 * its task.
 */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    /**
     * Hash of the Idempotency-Key, the name of the client's API key, the API operation that was called, and,
     * if the request creates several tasks, which of them this is.
     */
    key: uuid('key').primaryKey(),
    /** Hash of the submission's body. A second submission with the same key and another body is an error. */
    fingerprint: uuid('fingerprint').notNull(),
    taskId: uuid('task_id').notNull(),
    createdAt: timestamptz('created_at').notNull().defaultNow(),
    /** Earliest start of the task if the submission has delayed it; otherwise null. */
    runAt: timestamptz('run_at'),
    requestId: text('request_id'),
    traceparent: text('traceparent'),
    /** True if the first submission has met a unique task, whose id `task_id` is, and created none. */
    isExisting: boolean('is_existing'),
  },
  (table) => [index('idempotency_keys_by_age').on(table.createdAt)],
)

/**
 * Position of the scan with which retention deletes the tasks of a rule (retention-policy.ts). All workers
 * share it: each continues where the last one stopped.
 */
export const retentionProgress = pgTable('retention_progress', {
  rule: text('rule').primaryKey(),
  /** All tasks with this id and lower ones have been scanned. */
  lastId: uuid('last_id').notNull(),
})

/**
 * Statistics: sums of events per time span, so that reading statistics does not require counting rows of
 * `tasks`. Every process adds its sums every few seconds. Each event is counted in one span of every width
 * (10 s, 1 min, 10 min), so that a day can be read as quickly as five minutes.
 */
export const activity = pgTable(
  'activity',
  {
    /** Length, in seconds, of the time span whose events this row counts: 10, 60 or 600. */
    width: integer('width').notNull(),
    /** Start of the time span whose events this row counts. It is a multiple of `width` since 1970. */
    startsAt: timestamptz('starts_at').notNull(),
    /** Name of the task definition. */
    name: text('name').notNull(),
    /**
     * Kind of event: a task was accepted (`accepted`), an attempt ended (the new status, such as `SUCCESS`),
     * or a waiting or run time was measured (`wait`, `run`).
     */
    measure: text('measure').notNull(),
    /** Index of the histogram bucket if the event is a duration (`wait`, `run`); otherwise 0. */
    bucket: integer('bucket').notNull(),
    count: integer('count').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.width, table.startsAt, table.name, table.measure, table.bucket] }),
  ],
)

/** One row per worker process. The heartbeat updates it every second. An orderly stop deletes it. */
export const workers = pgTable('workers', {
  id: uuid('id').primaryKey(),
  host: text('host').notNull(),
  pid: integer('pid').notNull(),
  version: text('version').notNull(),
  queues: text('queues').array().notNull(),
  concurrency: integer('concurrency').notNull(),
  /** Number of isolated processes; each runs one attempt at a time, in addition to `concurrency`. */
  isolatedProcesses: integer('isolated_processes').notNull().default(0),
  running: integer('running').notNull().default(0),
  // 64 bits: a counter that overflows would fail every heartbeat of the worker.
  processed: bigint('processed', { mode: 'number' }).notNull().default(0),
  failed: bigint('failed', { mode: 'number' }).notNull().default(0),
  /** Number of slots whose handlers run on although their attempts have ended. */
  leaked: integer('leaked').notNull().default(0),
  startedAt: timestamptz('started_at').notNull().defaultNow(),
  lastBeatAt: timestamptz('last_beat_at').notNull().defaultNow(),
  /** When an operator asked the worker to claim no more tasks; null if the worker may claim. */
  drainRequestedAt: timestamptz('drain_requested_at'),
})

/** Paused queues. Tasks of these queues do not start until the row is deleted. */
export const pausedQueues = pgTable('paused_queues', {
  name: text('name').primaryKey(),
  pausedAt: timestamptz('paused_at').notNull().defaultNow(),
})

/**
 * The last count of waiting and running tasks by queue (queue-counts.ts), and the state of the count that is
 * under way. The table has at most one row.
 */
export const queueCounts = pgTable('queue_counts', {
  /** Always 1. */
  id: smallint('id').primaryKey(),
  /** Random id of the count that is under way; null if none is. */
  counting: uuid('counting'),
  /** When the last count started, including one that is under way. */
  startedAt: timestamptz('started_at').notNull().defaultNow(),
  /** When the last count ended; during a count, when the counting process last reported progress. */
  progressedAt: timestamptz('progressed_at').notNull().defaultNow(),
  /** When the count in `counts` started; null before the end of the first count. */
  countedAt: timestamptz('counted_at'),
  /** How long the last complete count took, in milliseconds; 0 if it had only one part (queue-counts.ts). */
  tookMs: real('took_ms').notNull().default(0),
  counts: json('counts').$type<QueueCount[]>().notNull().default([]),
})

/** Numbers of tasks of one queue, as the last count found them. */
export interface QueueCount {
  name: string
  /** Number of tasks in PENDING or RETRY. */
  waiting: number
  /** Number of tasks in RETRY. */
  retrying: number
  running: number
  /** Number of waiting tasks that are held (held/schema.ts). */
  held: number
  /** How long the oldest due task had been due, in milliseconds; null if no waiting task was due. */
  oldestWaitingMs: number | null
}

/** A row of `tasks` as `TASK_COLUMNS` (task-columns.ts) selects it. */
export type TaskRow = Omit<typeof tasks.$inferSelect, 'requestUuid' | 'requestText' | 'tags'> & {
  requestId: string | null
  tags: string[]
}
export type IdempotencyKeyRow = typeof idempotencyKeys.$inferSelect
export type AttemptRow = typeof attempts.$inferSelect
export type TaskLogRow = typeof taskLogs.$inferSelect
export type WorkerRow = typeof workers.$inferSelect
