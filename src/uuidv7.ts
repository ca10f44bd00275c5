// Ids that carry their time: UUIDv7 (RFC 9562, 5.7). The first 48 bits are milliseconds since 1970, so the order of ids
// is the order of creation, and a listing by primary key is a listing by time.
import { randomUUID } from 'node:crypto'

/** A new id of this moment, or of the given one. Within a millisecond the order is random. */
export function newId(atMs: number = Date.now()): string {
  const time = hexOf(atMs)
  // Version 4 differs in the version digit and in having random bits where the time stands. Node makes it from a pool
  // of random bytes, which is several times faster than asking the system for every id.
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`
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
