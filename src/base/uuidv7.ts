// Ids that carry their time: UUIDv7 (RFC 9562, 5.7). The first 48 bits are milliseconds since 1970, so the order of ids
// is the order of creation, and a listing by primary key is a listing by time.
import { randomFillSync } from 'node:crypto'

const BYTES = 16
// Random bytes for many ids at once: to ask for them costs as much as all the rest.
const pool = Buffer.alloc(BYTES * 256)
let next = pool.length

/** A new id of this moment, or of the given one. Within a millisecond the order is random. */
export function newId(atMs: number = Date.now()): string {
  if (next === pool.length) {
    randomFillSync(pool)
    next = 0
  }
  const start = next
  next += BYTES
  pool.writeUIntBE(Math.floor(atMs), start, 6)
  pool[start + 6] = 0x70 | (byteAt(start + 6) & 0x0f) // the version
  pool[start + 8] = 0x80 | (byteAt(start + 8) & 0x3f) // the variant
  return textOf(start)
}

// The hyphens stand; the digits are written over those of the id before. One short text is made of it, and no chain of
// parts that somebody has to put together later.
const text = Buffer.alloc(36, '-')
const PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34]
const DIGITS = Buffer.from('0123456789abcdef')

function textOf(start: number): string {
  PLACES.forEach((place, index) => {
    const byte = byteAt(start + index)
    text[place] = DIGITS[byte >> 4] as number
    text[place + 1] = DIGITS[byte & 0x0f] as number
  })
  return text.toString('latin1')
}

function byteAt(index: number): number {
  return pool[index] as number // within the pool
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Whether this is written as the ids of tasks and workers are. */
export function isUuid(text: string): boolean {
  return UUID.test(text)
}

/** Milliseconds since 1970. */
export function timeOfId(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
}

/** The least id of a moment: what is created then or later is not below it. */
export function firstIdOf(atMs: number): string {
  const time = hexOf(Math.max(0, atMs))
  return `${time.slice(0, 8)}-${time.slice(8)}-0000-0000-000000000000`
}

function hexOf(atMs: number): string {
  return Math.floor(atMs).toString(16).padStart(12, '0')
}
