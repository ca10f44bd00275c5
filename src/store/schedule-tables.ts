// Defines the tables of schedules. `npm run migrations` generates migrations from this file and schema.ts.
import type { CatchUp, Overlap } from '../definitions/schedule.ts'
import {
  bigint,
  boolean,
  index,
  integer,
  json,
  pgTable,
  primaryKey,
  sql,
  text,
  timestamp,
  uuid,
} from './drizzle.ts'
import { timestamptz } from './schema.ts'

const exactTimestamp = (name: string) => timestamp(name, { withTimezone: true, mode: 'date' })

/** Schedules: those of the code of the project, and those that were created by the API. */
export const schedules = pgTable(
  'schedules',
  {
    name: text('name').primaryKey(),
    /** Name of the definition of its tasks. */
    definition: text('definition').notNull(),
    /** The input as it was given. It is parsed at every tick. */
    input: json('input').notNull(),
    /** Null if the schedule has `every_seconds`. */
    cron: text('cron'),
    timeZone: text('time_zone'),
    everySeconds: integer('every_seconds'),
    overlap: text('overlap').$type<Overlap>().notNull(),
    catchUp: text('catch_up').$type<CatchUp>().notNull(),
    jitterSeconds: integer('jitter_seconds').notNull(),
    /** `code` if it is part of the code of the project, `api` if it was created by the API. */
    source: text('source').$type<'code' | 'api'>().notNull(),
    /** Incremented by every change and every tick. A worker moves only the version on that it has read. */
    version: integer('version').notNull().default(0),
    pausedAt: timestamptz('paused_at'),
    /** The next tick. It is moved on by the statement that makes the tasks of the tick. */
    nextAt: timestamptz('next_at').notNull(),
    /** A tick that waits for the end of `last_task_ids`; null if none does. */
    waitingAt: timestamptz('waiting_at'),
    /** The last tick that has made or met a task. */
    lastTickAt: timestamptz('last_tick_at'),
    /**
     * The task of the last tick, and unfinished tasks that were made on request at that time or later. A tick
     * overlaps if one of them has not ended.
     */
    lastTaskIds: uuid('last_task_ids').array().notNull().default(sql`'{}'`),
    /** Number of ticks without a task of their own: missed, skipped, merged, or with a task that existed. */
    skipped: bigint('skipped', { mode: 'number' }).notNull().default(0),
    createdAt: timestamptz('created_at').notNull().defaultNow(),
    updatedAt: timestamptz('updated_at').notNull().defaultNow(),
  },
  (table) => [
    index('schedules_due').on(table.nextAt).where(sql`paused_at is null`),
    // Usually it is empty.
    index('schedules_waiting').on(table.waitingAt).where(sql`waiting_at is not null and paused_at is null`),
  ],
)

/**
 * The tasks that schedules have made or met: about the last 100 of each schedule. A tick makes one task at
 * most.
 */
export const scheduleRuns = pgTable(
  'schedule_runs',
  {
    schedule: text('schedule').notNull(),
    /** The tick; for a task that was made on request, the time of the request. */
    tickAt: exactTimestamp('tick_at').notNull(),
    taskId: uuid('task_id').notNull(),
    /** Whether the task was made on request. */
    isManual: boolean('is_manual').notNull().default(false),
    /** Whether the tick or the request made no task, because it met this one, which is unique. */
    isExisting: boolean('is_existing').notNull().default(false),
  },
  (table) => [primaryKey({ columns: [table.schedule, table.tickAt, table.isManual] })],
)

/**
 * Versions of the schedules in the code. While workers with different code run, the schedules are those of
 * the version that was seen first most recently.
 */
export const scheduleVersions = pgTable('schedule_versions', {
  /** Hash of all schedules of the code. */
  version: text('version').primaryKey(),
  // With microseconds: two versions can be seen in the same millisecond.
  firstSeenAt: exactTimestamp('first_seen_at').notNull().defaultNow(),
  /** When a worker with this version last reported. */
  lastSeenAt: timestamptz('last_seen_at').notNull().defaultNow(),
  /** When these schedules were last written to `schedules`. */
  appliedAt: exactTimestamp('applied_at'),
})

export type ScheduleRow = typeof schedules.$inferSelect
