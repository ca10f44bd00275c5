// Locks the keys of unique tasks. Whoever holds the lock of a key alone decides which task the key has, until
// its transaction ends.
import { windowMsOf } from '../../definitions/unique.ts'
import type { Uniqueness } from '../../definitions/uniqueness.ts'
import { type BatchStatement, doubles, texts, uuids } from '../columns.ts'
import { sql } from '../drizzle.ts'
import type { Transaction } from '../lanes.ts'

/** A task with a unique key. It becomes the task of this key unless another one is. */
export interface KeyClaim {
  id: string
  name: string
  unique: Pick<Uniqueness, 'key' | 'until'>
}

/** A locked key. All times are in ms since 1970 by the clock of Postgres. */
export interface LockedKey {
  /** Id of the task of the key. It is that of the claim if the key had no task. */
  taskId: string
  firstAtMs: number
  /** The time right after the key was locked. */
  nowMs: number
}

/** Returns a text that identifies the key of a task. */
export function keyTextOf({ name, unique }: Pick<KeyClaim, 'name'> & { unique: { key: string } }): string {
  return JSON.stringify([name, unique.key])
}

/**
 * Locks the keys of tasks until the end of the transaction. A key that has no task gets that of the claim.
 * All transactions lock in the same order, before they lock tasks.
 * @param claims at most one for each key
 * @returns the keys by `keyTextOf`
 */
export async function lockKeys(
  transaction: Transaction,
  claims: readonly KeyClaim[],
): Promise<Map<string, LockedKey>> {
  const rows = await transaction.run<LockedKey & { name: string; key: string }>(LOCK_KEYS, columnsOf(claims))
  return new Map(rows.map(({ name, key, ...locked }) => [keyTextOf({ name, unique: { key } }), locked]))
}

/** Makes these tasks those of their keys, which must be locked. Their time begins now. */
export async function takeKeys(transaction: Transaction, claims: readonly KeyClaim[]): Promise<void> {
  if (claims.length > 0) await transaction.run(TAKE_KEYS, columnsOf(claims))
}

function columnsOf(claims: readonly KeyClaim[]) {
  return {
    id: uuids(claims.map(({ id }) => id)),
    name: texts(claims.map(({ name }) => name)),
    key: texts(claims.map(({ unique }) => unique.key)),
    window_ms: doubles(claims.map(({ unique }) => windowMsOf(unique.until))),
  }
}

const KEPT_UNTIL = sql`clock_timestamp() + given.window_ms * interval '1 ms'`

// A statement that inserts a key waits for a transaction that has locked it, and then gets what that one has
// committed. The update changes nothing; it locks the row.
const LOCK_KEYS: BatchStatement = {
  name: 'lock_unique_keys',
  build: (rows) => sql`
    insert into unique_tasks (name, key, task_id, first_at, kept_until)
    select given.name, given.key, given.id, clock_timestamp(), ${KEPT_UNTIL} from ${rows} order by given.name, given.key
    on conflict (name, key) do update set task_id = unique_tasks.task_id
    returning name, key, task_id as "taskId", extract(epoch from first_at)::float8 * 1000 as "firstAtMs",
              extract(epoch from clock_timestamp())::float8 * 1000 as "nowMs"`,
}

const TAKE_KEYS: BatchStatement = {
  name: 'take_unique_keys',
  build: (rows) => sql`
    update unique_tasks set task_id = given.id, first_at = clock_timestamp(), kept_until = ${KEPT_UNTIL}
    from ${rows} where unique_tasks.name = given.name and unique_tasks.key = given.key`,
}
