// The table of unique tasks. It has one row per key, so it is not partitioned.
import { pgTable, primaryKey, text, timestamp, uuid } from '../drizzle.ts'

const timestamptz = (name: string) => timestamp(name, { withTimezone: true, mode: 'date' })

/**
 * The last task of each key of each definition with `unique`. Whether submissions still meet it follows from
 * its status, which the next submission reads: starts and ends of tasks do not write this table. Every
 * submission and every manual retry of the key locks the row first.
 */
export const uniqueTasks = pgTable(
  'unique_tasks',
  {
    /** Name of the definition. */
    name: text('name').notNull(),
    /** '' if the definition has no `key` function. */
    key: text('key').notNull(),
    taskId: uuid('task_id').notNull(),
    /** When the task was submitted, or became the task of this key by a manual retry. */
    firstAt: timestamptz('first_at').notNull(),
    /**
     * Until when the row is kept although the task has ended: submissions meet a task with `until: { seconds
     * }` for this long. Otherwise the same as `first_at`.
     */
    keptUntil: timestamptz('kept_until').notNull(),
  },
  (table) => [primaryKey({ columns: [table.name, table.key] })],
)
