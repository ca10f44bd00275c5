// Limits a page of tasks in bytes. Inputs and results can be large, and the API holds a whole page in memory.
import type { SQL } from 'drizzle-orm'
import { desc, sql } from './drizzle.ts'
import { tasks } from './schema.ts'

/**
 * A page ends when its inputs and results have this many bytes as JSON text. The last task can exceed it: a
 * page has at least one task. The API needs a multiple of this in memory while it parses and writes a page.
 */
export const PAGE_BYTES = 4 * 1024 * 1024

/** Number of bytes of a task's input and result as JSON text. */
export const TASK_BYTES = sql<number>`${bytesOf(sql`${tasks.input}`)} + ${bytesOf(sql`${tasks.result}`)}`

/**
 * Bytes of the tasks before this one on its page, and whether another task follows, as columns of a subquery
 * that lists tasks from the newest to the oldest id. Postgres computes the window row by row, so it reads one
 * row beyond the `limit` of the subquery and not the whole list.
 */
export const PAGE_COLUMNS = {
  bytesBefore: sql<number>`coalesce(sum(${TASK_BYTES}) over ${newestFirst()}, 0)`.as('bytes_before'),
  hasNext: sql<boolean>`lead(true, 1, false) over ${newestFirst()}`.as('has_next'),
}

/**
 * Condition of a query from such a subquery: the task is within the budget of the page, or is the first one.
 */
export const IS_WITHIN_PAGE = sql`bytes_before < ${PAGE_BYTES}`

function newestFirst(): SQL {
  return sql`(order by ${desc(tasks.id)} rows between unbounded preceding and 1 preceding)`
}

/**
 * The stored size of a value that Postgres has not compressed is known without reading the value. A
 * compressed one has to be read, because it can be a hundred times as large as its stored size.
 */
function bytesOf(column: SQL): SQL {
  return sql`coalesce(case when pg_column_compression(${column}) is null then pg_column_size(${column})
                           else octet_length(${column}::text) end, 0)`
}
