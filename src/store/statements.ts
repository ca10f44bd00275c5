// Builds SQL fragments that pass a list (rows or texts) as one parameter.
import type { SQL } from 'drizzle-orm'
import { sql } from './drizzle.ts'

/**
 * Returns the records as rows for a `from` clause. The texts in them must not contain NUL, which Postgres
 * rejects, so the input of a task must be passed as JSON text, in which NUL is escaped.
 */
export function recordset(records: object[]): SQL {
  return sql`json_to_recordset(${JSON.stringify(records)}::json)`
}

/** Returns the texts as rows with one column `value`, for a `from` clause. */
export function texts(values: string[]): SQL {
  return sql`json_array_elements_text(${JSON.stringify(values)}::json)`
}
