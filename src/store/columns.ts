// Rows for a `from` clause, one parameter per column. Servers are sent arrays in the binary format of Postgres, of which
// nothing has to be parsed: that halves what a row costs beside JSON. For the statements of the hot path; the others
// take theirs as JSON (statements.ts).
import type { SQL } from 'drizzle-orm'
import { sql } from './drizzle.ts'

type Absent = null | undefined

/** The values of one column, row by row. */
export interface Column {
  /** Of an element, as SQL names it. */
  type: string
  values: readonly unknown[]
  /** An array as Postgres sends and receives it (`array_send` in its source); null where no row has a value. */
  encoded(): Buffer | null
}

export const uuids = (values: readonly (string | Absent)[]) => column(UUID, values)
/** What must survive any character (inputs, results) goes as JSON text; a NUL is refused by Postgres. */
export const texts = (values: readonly (string | Absent)[]) => column(TEXT, values)
/** 32 bits. */
export const integers = (values: readonly (number | Absent)[]) => column(INTEGER, values)
export const doubles = (values: readonly (number | Absent)[]) => column(DOUBLE, values)
export const booleans = (values: readonly (boolean | Absent)[]) => column(BOOLEAN, values)
export const timestamps = (values: readonly (Date | Absent)[]) => column(TIMESTAMP, values)

/** `given(id, attempt, …)` for a `from` clause; columns without any value are null in every row. */
export function given(columns: Record<string, Column>): SQL {
  const arrays = Object.values(columns).map((column) => sql`${sql.param(column)}::${sql.raw(column.type)}[]`)
  const names = Object.keys(columns).map((name) => sql.raw(name))
  return sql`unnest(${sql.join(arrays, COMMA)}) as given(${sql.join(names, COMMA)})`
}

const COMMA = sql.raw(', ')

/**
 * A statement of the hot path, always with the same text: written out once, and planned once in every connection. Its only
 * parameters are the columns of the rows that it is given.
 */
export interface BatchStatement {
  /** Of the statement in Postgres. */
  name: string
  /** @param rows `given(…)`, for its `from` */
  build(rows: SQL): SQL
}

/** Joins `tasks` with what is given, row by row and by the primary key: connections know no other joins (database.ts). */
export const IS_GIVEN = sql`tasks.id = given.id`

export function isColumn(parameter: unknown): parameter is Column {
  return typeof parameter === 'object' && parameter !== null && 'encoded' in parameter
}

/** How Postgres keeps an element: its type, its bytes, and how they are written. */
interface Element<Value> {
  type: string
  /** In `pg_type`, where it is the same in every installation. */
  oid: number
  bytesOf(value: Value): number
  write(buffer: Buffer, value: Value, at: number): void
}

const UUID: Element<string> = {
  type: 'uuid',
  oid: 2950,
  bytesOf: () => 16,
  // Digit by digit: five of them are written for every task, and a text without its hyphens costs as much as the rest.
  write(buffer, value, at) {
    let digits = 0
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index)
      if (code === HYPHEN) continue
      const digit = HEX_DIGITS[code] ?? NO_DIGIT
      if (digit === NO_DIGIT || digits === 32) throw new Error(`${value} is no UUID`)
      const byteAt = at + (digits >> 1)
      buffer[byteAt] = digits % 2 === 0 ? digit << 4 : (buffer[byteAt] ?? 0) | digit
      digits++
    }
    if (digits !== 32) throw new Error(`${value} is no UUID`)
  },
}

const HYPHEN = 0x2d
const NO_DIGIT = 0xff
/** What a character is worth, by its code. */
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

// Postgres counts microseconds from here.
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
  // -1 is how Postgres is told that there is none.
  const lengths = new Int32Array(values.length)
  let size = HEADER_BYTES
  let count = 0
  // By their places: to ask an iterator makes an object for every value of every column.
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
  buffer.writeInt32BE(1, 0) // dimensions
  buffer.writeInt32BE(count < values.length ? 1 : 0, 4) // whether there are nulls
  buffer.writeInt32BE(element.oid, 8)
  buffer.writeInt32BE(values.length, 12)
  buffer.writeInt32BE(1, 16) // the first index
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
