// The tables. Migrations are generated from this file: `npm run migrations`.
//
// The indexes of `tasks` are chosen so that a claim changes no indexed column and no column of an index
// condition. Postgres can then write the new row version to the same page without updating an index (a HOT
// update). For this reason, indexes find waiting and running tasks by `finished_at is null` and not by
// status.

import type { TaskError, TaskStatus } from '../definitions/task-status.ts'
import {
  bigserial,
  doublePrecision,
  index,
  integer,
  json,
  pgTable,
  primaryKey,
  sql,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from './drizzle.ts'

const timestamptz = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: 'date' })

export const tasks = pgTable(
  'tasks',
  {
    /** UUIDv7: ids are ordered by the time of submission, so lists use the primary key. */
    id: uuid('id').primaryKey(),
    name: text('name').notNull(),
    queue: text('queue').notNull(),
    status: text('status').$type<TaskStatus>().notNull(),
    /** `json`, not `jsonb`: it keeps the submitted text, with the order of keys. */
    input: json('input').notNull(),
    result: json('result'),
    error: json('error').$type<TaskError>(),
    progressFraction: doublePrecision('progress_fraction').notNull().default(0),
    progressMessage: text('progress_message'),
    /** Number of the current or last attempt; only grows. Writes that expect another number are refused. */
    attempt: integer('attempt').notNull().default(0),
    /** Used part of the retry budget. */
    failures: integer('failures').notNull().default(0),
    maxRetries: integer('max_retries').notNull(),
    timeoutMs: integer('timeout_ms').notNull(),
    tags: text('tags').array().notNull().default([]),
    /** Incremented by every change that readers can see. It is the ETag. */
    version: integer('version').notNull().default(0),
    /** Earliest start. */
    runAt: timestamptz('run_at').notNull(),
    /** When the task was last enqueued in Redis; null if the dispatcher has to enqueue it. */
    enqueuedAt: timestamptz('enqueued_at'),
    createdAt: timestamptz('created_at').notNull(),
    startedAt: timestamptz('started_at'),
    finishedAt: timestamptz('finished_at'),
    workerId: uuid('worker_id'),
    cancelRequestedAt: timestamptz('cancel_requested_at'),
    replayedFrom: uuid('replayed_from'),
    /** Hash of the Idempotency-Key and its scope. Committed with the task, so that a key creates one task. */
    idempotencyKey: text('idempotency_key'),
    /** Hash of the request body. The same key with another body is an error. */
    idempotencyFingerprint: text('idempotency_fingerprint'),
    /** X-Request-Id of the submission, for the logs of API and worker. */
    requestId: text('request_id'),
    /** W3C Trace Context of the submission. */
    traceparent: text('traceparent'),
    /** The task that caused this one; set in callbacks. */
    parentId: uuid('parent_id'),
    /** URL to which the task is posted when it has ended. */
    callbackUrl: text('callback_url'),
    /**
     * The task that posts this one to `callback_url`; null until it exists, and again after a manual retry.
     */
    callbackId: uuid('callback_id'),
  },
  (table) => [
    // For the dispatcher: tasks with a delay, retries, submissions whose enqueue failed. Usually small.
    index('tasks_to_enqueue')
      .on(table.queue, table.runAt)
      .where(sql`enqueued_at is null and finished_at is null`),
    // For the reconciler: unfinished tasks by the time of their last enqueue.
    index('tasks_unfinished').on(table.queue, table.enqueuedAt).where(sql`finished_at is null`),
    // Contains only tasks with a key.
    uniqueIndex('tasks_idempotency_key').on(table.idempotencyKey).where(sql`idempotency_key is not null`),
    // Finished tasks without their callback. Usually empty.
    index('tasks_to_call_back')
      .on(table.finishedAt)
      .where(sql`callback_url is not null and callback_id is null and finished_at is not null`),
    // For lists of unfinished tasks and of failed or cancelled tasks, newest first. Neither condition
    // contains the status, so that a claim is a HOT update.
    index('tasks_live').on(table.id).where(sql`finished_at is null`),
    index('tasks_unsuccessful')
      .on(table.id)
      .where(sql`finished_at is not null and (error is not null or cancel_requested_at is not null)`),
  ],
)

/** Failed and lost attempts. A successful attempt has no row here: its result is in `tasks`. */
export const attempts = pgTable(
  'attempts',
  {
    id: bigserial('id', { mode: 'number' }).primaryKey(),
    taskId: uuid('task_id')
      .notNull()
      .references(() => tasks.id, { onDelete: 'cascade' }),
    attempt: integer('attempt').notNull(),
    error: json('error').$type<TaskError>().notNull(),
    workerId: uuid('worker_id'),
    startedAt: timestamptz('started_at'),
    endedAt: timestamptz('ended_at').notNull().defaultNow(),
  },
  (table) => [index('attempts_of_task').on(table.taskId, table.attempt)],
)

/**
 * Lines that task code has logged (`log` of the task context). Their number and size per attempt are limited.
 */
export const taskLogs = pgTable(
  'task_logs',
  {
    /** In the order of insertion. Clients use it as a cursor. */
    id: bigserial('id', { mode: 'number' }).primaryKey(),
    taskId: uuid('task_id')
      .notNull()
      .references(() => tasks.id, { onDelete: 'cascade' }),
    attempt: integer('attempt').notNull(),
    /** By the clock of the worker. */
    at: timestamptz('at').notNull(),
    message: text('message').notNull(),
    fields: json('fields').$type<Record<string, unknown>>(),
  },
  (table) => [index('task_logs_of_task').on(table.taskId, table.id)],
)

/**
 * Statistics: sums of events per time span, so that no statistics count rows of `tasks`. Processes add to
 * them every few seconds. Several span widths make a day as quick to read as five minutes.
 */
export const activity = pgTable(
  'activity',
  {
    /** Length of the span in seconds. */
    width: integer('width').notNull(),
    /** Start of the span. */
    startsAt: timestamptz('starts_at').notNull(),
    /** Name of the definition. */
    name: text('name').notNull(),
    /**
     * Kind of event: `accepted`, the status in which an attempt ended, or a measured time (`wait`, `run`).
     */
    measure: text('measure').notNull(),
    /** Histogram bucket of a measured time; 0 for other events. */
    bucket: integer('bucket').notNull(),
    count: integer('count').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.width, table.startsAt, table.name, table.measure, table.bucket] }),
  ],
)

/** One row per worker process. The heartbeat updates it every second, and an orderly stop deletes it. */
export const workers = pgTable('workers', {
  id: uuid('id').primaryKey(),
  host: text('host').notNull(),
  pid: integer('pid').notNull(),
  version: text('version').notNull(),
  queues: text('queues').array().notNull(),
  concurrency: integer('concurrency').notNull(),
  running: integer('running').notNull().default(0),
  processed: integer('processed').notNull().default(0),
  failed: integer('failed').notNull().default(0),
  startedAt: timestamptz('started_at').notNull().defaultNow(),
  lastBeatAt: timestamptz('last_beat_at').notNull().defaultNow(),
  /** Since when the worker is asked to claim no more tasks; null if it is not. */
  drainRequestedAt: timestamptz('drain_requested_at'),
})

/** Paused queues. Tasks of these queues do not start until the row is deleted. */
export const pausedQueues = pgTable('paused_queues', {
  name: text('name').primaryKey(),
  pausedAt: timestamptz('paused_at').notNull().defaultNow(),
})

export type TaskRow = typeof tasks.$inferSelect
export type AttemptRow = typeof attempts.$inferSelect
export type TaskLogRow = typeof taskLogs.$inferSelect
export type WorkerRow = typeof workers.$inferSelect
