// Transactions that change partitions. Only one runs at a time, over all processes.
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
  /** How long one try waits for a lock, in milliseconds. Statements that arrive meanwhile wait behind it. */
  lockMs: number
  /** Pause between two tries, in milliseconds. */
  pauseMs: number
  /** Maximum number of tries. */
  tries: number
}

const LOCK_LIMITS: LockLimits = { lockMs: 50, pauseMs: 500, tries: 10 }

// How often a change tries to get the advisory lock, and the pause between two tries. Together they take half
// a second: longer than a delete of old tasks, which holds the lock for some tens of milliseconds.
const ADVISORY_TRIES = 10
const ADVISORY_PAUSE_MS = 50

// Key of the advisory lock that allows one change at a time: 'part' in ASCII.
const PARTITION_LOCK = 0x70617274

/** Rolls a change of partitions back. `changePartitions` then resolves with undefined instead of an error. */
export class Abandoned extends Error {}

/**
 * Calls `work` in a transaction that holds an advisory lock, so that no other process changes partitions
 * meanwhile.
 * @returns the result of `work`; undefined if another process holds the lock for longer than half a second,
 *   or `work` has thrown `Abandoned`
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
 * Calls `work`, which deletes tasks, in a transaction that excludes changes of partitions: if a task was
 * deleted after a change has copied it, the copy would restore it. Several such transactions can run at the
 * same time.
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
    // The transaction is idle while tasks are copied over another connection. A limit that the server sets
    // for idle transactions must not end it.
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
 * Locks the partitioned tables, so that no other transaction can use them until this one ends. This
 * transaction must therefore end within some tens of milliseconds. Each try waits only shortly for running
 * statements, because all later statements wait behind it.
 * @returns true, because `changePartitions` resolves with undefined if it does not call its `work`
 * @throws the error of Postgres (`isLockTimeout`) if the tables stay in use
 */
export async function lockTables(
  transaction: Transaction,
  { lockMs, pauseMs, tries }: LockLimits = LOCK_LIMITS,
): Promise<true> {
  // The limit applies to the whole transaction, because later statements can wait for a lock too: autovacuum
  // locks a partition without locking the partitioned table.
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
