// Pieces of statements that take a list as one parameter.
import type { SQL } from 'drizzle-orm'
import { sql } from './drizzle.ts'

/** Rows for a `from` clause, as one parameter. What must survive any character (inputs, results) goes in as text. */
export function recordset(records: object[]): SQL {
  return sql`json_to_recordset(${JSON.stringify(records)}::json)`
}

/**
 * Says once more which rows are meant, in the form that leaves the planner no choice: by the primary key, whatever it
 * believed of the table when it made its plan.
 */
export function isOneOf(records: { id: string }[]): SQL {
  return sql`tasks.id = any(${`{${records.map(({ id }) => id).join()}}`}::uuid[])`
}

/** A column `value` for a `from` clause, as one parameter. */
export function texts(values: string[]): SQL {
  return sql`json_array_elements_text(${JSON.stringify(values)}::json)`
}
