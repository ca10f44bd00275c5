// Transactions that change partitions. One runs at a time, whichever process has begun it.
import type { SQL } from 'drizzle-orm'
import { pause } from '../../base/loop.ts'
import { isLockTimeout } from '../database-errors.ts'
import { sql } from '../drizzle.ts'
import type { Queries } from '../lanes.ts'

/** Runs the statements of one transaction, each with its own snapshot (`read committed`). */
export interface Transaction {
  query<Row>(statement: SQL): Promise<Row[]>
}

export interface LockLimits {
  /** How long one try waits for a lock, in milliseconds. All statements that come later wait behind it. */
  lockMs: number
  pauseMs: number
  tries: number
}

const LOCK_LIMITS: LockLimits = { lockMs: 50, pauseMs: 500, tries: 10 }

// How often and how long a change waits for deletes of old tasks that exclude it. Each takes some tens of
// milliseconds.
const ADVISORY_TRIES = 10
const ADVISORY_PAUSE_MS = 50

// Key of the advisory lock that allows one change at a time: 'part' in ASCII.
const PARTITION_LOCK = 0x70617274

/** Ends a change of partitions without an error, and undoes what it has done so far. */
export class Abandoned extends Error {}

/**
 * Calls `work` in a transaction. No other process changes partitions meanwhile.
 * @returns the result of `work`; undefined if another process is changing partitions, or `work` has thrown
 *    `Abandoned`
 */
export async function changePartitions<T>(
  queries: Pick<Queries, 'use'>,
  work: (transaction: Transaction) => Promise<T>,
): Promise<T | undefined> {
  try {
    return await inTransaction(queries, work)
  } catch (error) {
    if (error instanceof Abandoned) return undefined
    throw error
  }
}

/**
 * Calls `work`, which deletes tasks, in a transaction. No process changes partitions meanwhile: a copy of a deleted
 * task would bring it back.
 * @returns the result of `work`; undefined if a process is changing partitions
 */
export function besideChanges<T>(
  queries: Pick<Queries, 'use'>,
  work: (transaction: Transaction) => Promise<T>,
): Promise<T | undefined> {
  return begin(queries, async (transaction) => {
    const isFree = await tryLock(transaction, sql`pg_try_advisory_xact_lock_shared`)
    return isFree ? work(transaction) : undefined
  })
}

function inTransaction<T>(queries: Pick<Queries, 'use'>, work: (transaction: Transaction) => Promise<T>) {
  return begin(queries, async (transaction) => {
    // The transaction is idle while tasks are copied over another connection.
    await transaction.query(sql`set local idle_in_transaction_session_timeout = 0`)
    for (let left = ADVISORY_TRIES; !(await tryLock(transaction, sql`pg_try_advisory_xact_lock`)); left--) {
      if (left <= 1) return undefined
      await pause(ADVISORY_PAUSE_MS)
    }
    return work(transaction)
  })
}

function begin<T>(queries: Pick<Queries, 'use'>, work: (transaction: Transaction) => Promise<T>) {
  return queries.use((drizzle) =>
    drizzle.transaction((running) =>
      work({
        // Both drivers return an object with `rows`.
        query: async (statement) => ((await running.execute(statement)) as unknown as { rows: never[] }).rows,
      }),
    ),
  )
}

async function tryLock(transaction: Transaction, lock: SQL): Promise<boolean> {
  const [row] = await transaction.query<{ isFree: boolean }>(
    sql`select ${lock}(${PARTITION_LOCK}::bigint) as "isFree"`,
  )
  return row?.isFree ?? false
}

/**
 * Locks the partitioned tables, so that no other transaction uses any partition until this one ends: it must
 * end within some tens of milliseconds. Waits only shortly for running statements, because all later ones wait
 * behind it, and tries again some times.
 * @throws the error of Postgres (`isLockTimeout`) if the tables stay in use
 */
export async function lockTables(
  transaction: Transaction,
  { lockMs, pauseMs, tries }: LockLimits = LOCK_LIMITS,
): Promise<true> {
  // Statements after the lock can wait too: a partition can be in use by an autovacuum.
  await transaction.query(sql`select set_config('lock_timeout', ${`${lockMs}ms`}, true)`)
  for (let left = tries; ; left--) {
    await transaction.query(sql`savepoint locking`)
    try {
      await transaction.query(
        sql`lock table only tasks, only attempts, only task_logs in access exclusive mode`,
      )
      return true
    } catch (error) {
      if (left <= 1 || !isLockTimeout(error)) throw error
      await transaction.query(sql`rollback to savepoint locking`)
      await pause(pauseMs)
    }
  }
}
