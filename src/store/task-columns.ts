// The columns of `tasks` as the rest of the code reads them.
import type { SQL, SQLWrapper } from 'drizzle-orm'
import { getTableColumns, sql } from './drizzle.ts'
import { tasks } from './schema.ts'

/** SQL of the X-Request-Id of a task. If it is a UUID, it is stored as one, which takes 16 bytes. */
export const REQUEST_ID: SQL<string | null> = sql`coalesce(tasks.request_uuid::text, tasks.request_text)`
/** SQL of the tags of a task, which are stored as null if there are none. */
export const TAGS: SQL<string[]> = sql`coalesce(tasks.tags, '{}')`

const { requestUuid: _, requestText: __, ...stored } = getTableColumns(tasks)

/** Columns that make up a `TaskRow`, for Drizzle's query builder or `selected`. */
export const TASK_COLUMNS = { ...stored, requestId: REQUEST_ID, tags: TAGS }

/**
 * Returns the select list of these columns, each under its name here, for a statement that is not made with
 * Drizzle's query builder. The drivers return a `bigint` as text: cast it.
 */
export function selected(columns: Record<string, SQLWrapper>): SQL {
  const parts = Object.entries(columns).map(([name, column]) => sql`${column} as ${sql.identifier(name)}`)
  return sql.join(parts, sql.raw(', '))
}

const LOWER_CASE_UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Returns the values of the columns in which the X-Request-Id of a task is stored. */
export function storedRequestId(requestId: string | undefined): { uuid?: string; text?: string } {
  if (requestId === undefined) return {}
  return LOWER_CASE_UUID.test(requestId) ? { uuid: requestId } : { text: requestId }
}
