// SQL fragments that pass a list as one JSON parameter.
import type { SQL } from 'drizzle-orm'
import { sql } from './drizzle.ts'

/** Rows for a `from` clause. Inputs and results must be JSON text, because Postgres rejects NUL in a text. */
export function recordset(records: object[]): SQL {
  return sql`json_to_recordset(${JSON.stringify(records)}::json)`
}

/** Repeats the id condition as `id = any(...)`, so that the planner always uses the primary key. */
export function isOneOf(records: { id: string }[]): SQL {
  return sql`tasks.id = any(${`{${records.map(({ id }) => id).join()}}`}::uuid[])`
}

/** Rows with one column `value`, for a `from` clause. */
export function texts(values: string[]): SQL {
  return sql`json_array_elements_text(${JSON.stringify(values)}::json)`
}
