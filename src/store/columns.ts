// Encodes rows as parameters of frequent batch statements: one array per column, in the binary format of
// Postgres, which it does not have to parse. With arrays as text the whole system needs 7 % more CPU time per
// task, and runs a tenth fewer tasks per second. Less frequent statements pass their rows as JSON (statements.ts).
import type { SQL } from 'drizzle-orm'
import { sql } from './drizzle.ts'

type Absent = null | undefined

/** One column of the rows that are passed to a batch statement: one value per row. */
export interface Column {
  /** SQL type of a value. */
  type: string
  values: readonly unknown[]
  /**
   * Returns the values as an array in the binary format of Postgres (`array_recv` in its source); null if no
   * row has a value.
   */
  encoded(): Buffer | null
}

export const uuids = (values: readonly (string | Absent)[]) => column(UUID, values)
/**
 * A column of texts. They must not contain NUL, which Postgres rejects. Inputs and results are passed as JSON
 * text, where NUL is escaped.
 */
export const texts = (values: readonly (string | Absent)[]) => column(TEXT, values)
/** A column of 32-bit integers. */
export const integers = (values: readonly (number | Absent)[]) => column(INTEGER, values)
export const doubles = (values: readonly (number | Absent)[]) => column(DOUBLE, values)
export const booleans = (values: readonly (boolean | Absent)[]) => column(BOOLEAN, values)
export const timestamps = (values: readonly (Date | Absent)[]) => column(TIMESTAMP, values)

/**
 * Returns the rows as a table for a `from` clause: `unnest(…) as given(id, attempt, …)`. A column without any
 * value is null in every row.
 */
export function given(columns: Record<string, Column>): SQL {
  const arrays = Object.values(columns).map((column) => sql`${sql.param(column)}::${sql.raw(column.type)}[]`)
  const names = Object.keys(columns).map((name) => sql.raw(name))
  return sql`unnest(${sql.join(arrays, COMMA)}) as given(${sql.join(names, COMMA)})`
}

const COMMA = sql.raw(', ')

/**
 * A prepared statement of the hot path. Its text never changes: it is generated once, and each connection
 * plans it once. Its only parameters are the columns of its rows.
 */
export interface BatchStatement {
  /** Unique name under which each connection prepares the statement. */
  name: string
  /**
   * Returns the SQL of the statement.
   * @param rows SQL of the table with the rows of the batch, `unnest(…) as given(…)`, for a `from` clause
   */
  build(rows: SQL): SQL
}

/**
 * SQL condition of a join between a table and other rows, by its primary key, such as the id of the task.
 * Postgres joins by a nested loop that looks up each row by the primary key, in the one partition that can
 * contain it. With `key = id` instead, a plan that was made while the table was empty can read the whole
 * table by the primary key, and compare each row with all others: that order could serve a merge join,
 * although merge joins are disabled. The rest of the statement must not offer such an order either, or the
 * condition of a partial index: not `order by tasks.id`, and not `finished_at is null`.
 */
export function isKey(key: string, id: string): SQL {
  return sql.raw(`${key} = any(array[${id}])`)
}

/** Join condition between `tasks` and the rows of a batch statement (`given`), see `isKey`. */
export const IS_GIVEN = isKey('tasks.id', 'given.id')

/**
 * Returns a copy, ordered by id. Each statement that writes given tasks must lock their rows in this order:
 * two statements with the same tasks in different orders can deadlock.
 */
export function inLockOrder<Row extends { id: string }>(rows: readonly Row[]): Row[] {
  return rows.toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
}

export function isColumn(parameter: unknown): parameter is Column {
  return typeof parameter === 'object' && parameter !== null && 'encoded' in parameter
}

/** Binary encoding of the values of one SQL type. */
interface Element<Value> {
  type: string
  /** Id of the type in `pg_type`. Built-in types have the same id in every installation of Postgres. */
  oid: number
  bytesOf(value: Value): number
  write(buffer: Buffer, value: Value, at: number): void
}

const UUID: Element<string> = {
  type: 'uuid',
  oid: 2950,
  bytesOf: () => 16,
  // Parses the text of the UUID digit by digit and skips hyphens, because making a copy without hyphens would
  // double the cost. The cost matters: insert, claim and finish of one task encode five UUIDs.
  write(buffer, value, at) {
    let digits = 0
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index)
      if (code === HYPHEN) continue
      const digit = HEX_DIGITS[code] ?? NO_DIGIT
      if (digit === NO_DIGIT || digits === 32) throw new Error(`${value} is not a UUID`)
      const byteAt = at + (digits >> 1)
      buffer[byteAt] = digits % 2 === 0 ? digit << 4 : (buffer[byteAt] ?? 0) | digit
      digits++
    }
    if (digits !== 32) throw new Error(`${value} is not a UUID`)
  },
}

const HYPHEN = 0x2d
const NO_DIGIT = 0xff
/** Maps a character code to the value of the hexadecimal digit, or to `NO_DIGIT`. */
const HEX_DIGITS = Uint8Array.from({ length: 128 }, (_, code) => {
  const digit = Number.parseInt(String.fromCharCode(code), 16)
  return Number.isNaN(digit) ? NO_DIGIT : digit
})

const TEXT: Element<string> = {
  type: 'text',
  oid: 25,
  bytesOf: (value) => Buffer.byteLength(value),
  write: (buffer, value, at) => buffer.write(value, at),
}

const INTEGER: Element<number> = {
  type: 'int',
  oid: 23,
  bytesOf: () => 4,
  write: (buffer, value, at) => buffer.writeInt32BE(value, at),
}

const DOUBLE: Element<number> = {
  type: 'float8',
  oid: 701,
  bytesOf: () => 8,
  write: (buffer, value, at) => buffer.writeDoubleBE(value, at),
}

const BOOLEAN: Element<boolean> = {
  type: 'bool',
  oid: 16,
  bytesOf: () => 1,
  write: (buffer, value, at) => buffer.writeUInt8(value ? 1 : 0, at),
}

// In its binary format, Postgres encodes a timestamp as the number of microseconds since 2000-01-01.
const EPOCH_MS = Date.UTC(2000, 0)

const TIMESTAMP: Element<Date> = {
  type: 'timestamptz',
  oid: 1184,
  bytesOf: () => 8,
  write: (buffer, value, at) =>
    buffer.writeBigInt64BE(BigInt(value.getTime() - EPOCH_MS) * MICROSECONDS_PER_MS, at),
}

const MICROSECONDS_PER_MS = 1_000n

function column<Value>(element: Element<Value>, values: readonly (Value | Absent)[]): Column {
  return { type: element.type, values, encoded: () => encode(element, values) }
}

const HEADER_BYTES = 20
const LENGTH_BYTES = 4

function encode<Value>(element: Element<Value>, values: readonly (Value | Absent)[]): Buffer | null {
  // Length of each value in bytes. In the binary format of an array, the length -1 means null.
  const lengths = new Int32Array(values.length)
  let size = HEADER_BYTES
  let count = 0
  // Loops over indexes, because an iterator would allocate an object for every value of every column.
  for (let index = 0; index < values.length; index++) {
    const value = values[index]
    const isAbsent = value === null || value === undefined
    const length = isAbsent ? -1 : element.bytesOf(value)
    lengths[index] = length
    size += LENGTH_BYTES
    if (isAbsent) continue
    size += length
    count++
  }
  if (count === 0) return null
  const buffer = Buffer.allocUnsafe(size)
  buffer.writeInt32BE(1, 0) // array header: number of dimensions
  buffer.writeInt32BE(count < values.length ? 1 : 0, 4) // array header: 1 if there are nulls
  buffer.writeInt32BE(element.oid, 8)
  buffer.writeInt32BE(values.length, 12)
  buffer.writeInt32BE(1, 16) // array header: number of the first element
  let at = HEADER_BYTES
  for (let index = 0; index < values.length; index++) {
    const value = values[index]
    const length = lengths[index] as number
    buffer.writeInt32BE(length, at)
    at += LENGTH_BYTES
    if (value === null || value === undefined) continue
    element.write(buffer, value, at)
    at += length
  }
  return buffer
}
