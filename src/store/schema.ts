// The tables. Migrations are made from this file: `npm run migrations`.
//
// Indexes of `tasks` are chosen so that a claim changes no indexed column and no column of an index's condition:
// Postgres can then keep the new row version on the same page without touching any index (a HOT update).
// That is why "waiting" and "running" are found by `finished_at is null` and not by status.

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

const moment = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: 'date' })

export const tasks = pgTable(
  'tasks',
  {
    /** UUIDv7: ordered by the time of submission, so the primary key serves every listing. */
    id: uuid('id').primaryKey(),
    name: text('name').notNull(),
    queue: text('queue').notNull(),
    status: text('status').$type<TaskStatus>().notNull(),
    /** `json`, not `jsonb`: what was submitted comes back as it was, keys in order. */
    input: json('input').notNull(),
    result: json('result'),
    error: json('error').$type<TaskError>(),
    progressFraction: doublePrecision('progress_fraction').notNull().default(0),
    progressMessage: text('progress_message'),
    /** Which run this is. Only grows; every write of a worker names the attempt that it expects (fencing). */
    attempt: integer('attempt').notNull().default(0),
    /** How much of the retry budget is used. */
    failures: integer('failures').notNull().default(0),
    maxRetries: integer('max_retries').notNull(),
    timeoutMs: integer('timeout_ms').notNull(),
    tags: text('tags').array().notNull().default([]),
    /** Grows with every change a reader can see; the ETag. */
    version: integer('version').notNull().default(0),
    /** Not before this moment. */
    runAt: moment('run_at').notNull(),
    /** When its bell was last rung in Redis; null while it has to be. */
    enqueuedAt: moment('enqueued_at'),
    createdAt: moment('created_at').notNull(),
    startedAt: moment('started_at'),
    finishedAt: moment('finished_at'),
    workerId: uuid('worker_id'),
    cancelRequestedAt: moment('cancel_requested_at'),
    replayedFrom: uuid('replayed_from'),
    /** Hash of a caller's Idempotency-Key and of what it is valid for: committed with the task, so that it counts once. */
    idempotencyKey: text('idempotency_key'),
    /** Hash of the body that came with the key: the same key with another body is a mistake. */
    idempotencyFingerprint: text('idempotency_fingerprint'),
    /** Of the request that submitted it: the thread through the logs of API and worker. */
    requestId: text('request_id'),
    /** W3C Trace Context of that request. */
    traceparent: text('traceparent'),
    /** The task on whose behalf this one runs, as a callback does. */
    parentId: uuid('parent_id'),
    /** Who is told when it has ended. */
    callbackUrl: text('callback_url'),
    /** The task that tells them; null until it has ended, and again after a retry by hand. */
    callbackId: uuid('callback_id'),
  },
  (table) => [
    // The dispatcher's: delays, retries, submissions whose bell failed. Empty while all is well.
    index('tasks_to_enqueue')
      .on(table.queue, table.runAt)
      .where(sql`enqueued_at is null and finished_at is null`),
    // The reconciler's: everything unfinished, longest rung first.
    index('tasks_unfinished').on(table.queue, table.enqueuedAt).where(sql`finished_at is null`),
    // Holds only what came with a key.
    uniqueIndex('tasks_idempotency_key').on(table.idempotencyKey).where(sql`idempotency_key is not null`),
    // Ended, and nobody was told yet. Empty while all is well.
    index('tasks_to_call_back')
      .on(table.finishedAt)
      .where(sql`callback_url is not null and callback_id is null and finished_at is not null`),
    // For people who look for them among all the others, newest first: what is unfinished, and what ended badly.
    // Neither names the status, so that a claim stays HOT.
    index('tasks_live').on(table.id).where(sql`finished_at is null`),
    index('tasks_unsuccessful')
      .on(table.id)
      .where(sql`finished_at is not null and (error is not null or cancel_requested_at is not null)`),
  ],
)

/** Every failed or lost attempt. Successful ones are the task row itself. */
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
    startedAt: moment('started_at'),
    endedAt: moment('ended_at').notNull().defaultNow(),
  },
  (table) => [index('attempts_of_task').on(table.taskId, table.attempt)],
)

/** What task code said of its attempts while they ran (`log` of the task context), bounded per attempt. */
export const taskLogs = pgTable(
  'task_logs',
  {
    /** In the order in which they were written; the cursor of who follows. */
    id: bigserial('id', { mode: 'number' }).primaryKey(),
    taskId: uuid('task_id')
      .notNull()
      .references(() => tasks.id, { onDelete: 'cascade' }),
    attempt: integer('attempt').notNull(),
    /** By the clock of the worker. */
    at: moment('at').notNull(),
    message: text('message').notNull(),
    fields: json('fields').$type<Record<string, unknown>>(),
  },
  (table) => [index('task_logs_of_task').on(table.taskId, table.id)],
)

/**
 * How often what happened: sums that processes add to every few seconds, so that nobody has to count rows of `tasks`.
 * Kept in several widths, so that a day is as quickly read as five minutes.
 */
export const activity = pgTable(
  'activity',
  {
    /** Length of the span in seconds. */
    width: integer('width').notNull(),
    /** Its beginning. */
    startsAt: moment('starts_at').notNull(),
    /** Of the definition. */
    name: text('name').notNull(),
    /** What was counted: `accepted`, a status that an attempt ended in, or a time that was measured (`wait`, `run`). */
    measure: text('measure').notNull(),
    /** Of the histogram, for times; 0 for what is only counted. */
    bucket: integer('bucket').notNull(),
    count: integer('count').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.width, table.startsAt, table.name, table.measure, table.bucket] }),
  ],
)

/** One row per worker process, kept fresh by its heartbeat and removed when it has stopped in order. */
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
  startedAt: moment('started_at').notNull().defaultNow(),
  lastBeatAt: moment('last_beat_at').notNull().defaultNow(),
  /** Since when it is to take no more tasks; null while it takes them. */
  drainRequestedAt: moment('drain_requested_at'),
})

/** Queues of which nothing starts until they are resumed; all others have no row. */
export const pausedQueues = pgTable('paused_queues', {
  name: text('name').primaryKey(),
  pausedAt: moment('paused_at').notNull().defaultNow(),
})

export type TaskRow = typeof tasks.$inferSelect
export type AttemptRow = typeof attempts.$inferSelect
export type TaskLogRow = typeof taskLogs.$inferSelect
export type WorkerRow = typeof workers.$inferSelect
