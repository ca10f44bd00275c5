// Removes old tasks without deleting rows: replaces partitions by a new one that contains only the tasks that
// have to be kept. Usually there are none, and the old tables are only dropped.
//
// The tasks that have to be kept are copied first, in short transactions, while other statements read and
// write as usual. Then the tables are locked for some tens of milliseconds: the tasks that may have changed
// meanwhile are copied again, and the new tables replace the old ones.
import type { Database } from '../database.ts'
import { sql } from '../drizzle.ts'
import { type Range, suffixOf } from './bounds.ts'
import { copyChanged, copyKept, type KeptSince, TooManyChanges } from './copy.ts'
import {
  attachFilled,
  createToFill,
  dropUnattached,
  listPartitions,
  type Partition,
  TABLES,
  TASKS,
  tableName,
} from './tables.ts'
import { Abandoned, changePartitions, type LockLimits, lockTables, type Transaction } from './transaction.ts'

export interface Replacement {
  /** Partitions with adjacent ranges, oldest first. */
  partitions: Partition[]
  /** Undefined keeps all tasks: the new partition is only more compact. */
  keptSince?: KeptSince
  /** Comment of the new table of `tasks` (`comment on table`). */
  comment?: string
}

// Maximum number of unfinished tasks in a partition. They are compared with their copies while the tables are
// locked, which takes 2 µs per task: at most 20 ms.
const MAX_UNFINISHED = 10_000

/**
 * `busy`: the partitions cannot be replaced now, because callbacks of finished tasks still have to be
 * created, there are more than `MAX_UNFINISHED` unfinished tasks, or more than `MAX_CHANGED` tasks have
 * changed during the copy. `elsewhere`: another process is changing partitions, or has changed these.
 */
export type ReplacementResult = 'replaced' | 'busy' | 'elsewhere'

/**
 * Replaces partitions by one new partition with the same range. The range must have ended at least `LATE_MS`
 * ago, so that the index `tasks_late` contains each task that ends during the copy.
 * @throws the error of Postgres if the tables stay in use (`isLockTimeout`)
 */
export async function replacePartitions(
  database: Database,
  replacement: Replacement,
  limits?: LockLimits,
): Promise<ReplacementResult> {
  const { partitions, keptSince } = replacement
  const range = rangeOf(partitions)
  const fresh = `${suffixOf(range)}_next`
  // Locks the tables for a moment before anything is copied. If this fails, for example because a backup uses
  // them, the tables could not be locked after the copy either.
  const isFree = await changePartitions(database, (transaction) => lockTables(transaction, limits))
  if (isFree === undefined) return 'elsewhere'
  try {
    const result = await changePartitions<ReplacementResult>(database, async (transaction) => {
      // Each copying statement has its own transaction: one that writes for minutes would keep vacuums of all
      // tables from removing dead rows. `transaction` writes nothing before the tables are locked. Until then
      // it only holds the locks that exclude other changes.
      const copying = database.hasOneConnection ? transaction : database.maintenance
      await abandonIfOutdated(transaction, partitions)
      await dropUnattached(copying)
      await lockVacuum(transaction, partitions)
      if (await isBusy(transaction, partitions)) return 'busy'
      for (const table of TABLES) await createToFill(copying, table, range, fresh)
      for (const partition of partitions) await copyKept(copying, partition, fresh, keptSince)
      await lockTables(transaction, limits ?? LOCK_LIMITS)
      for (const partition of partitions) await copyChanged(transaction, partition, fresh)
      await takePlace(transaction, replacement, range, fresh)
      return 'replaced'
    })
    return result ?? 'elsewhere'
  } catch (error) {
    await changePartitions(database, dropUnattached)
    if (error instanceof TooManyChanges) return 'busy'
    throw error
  }
}

// After the copy, the lock is tried for about a minute: if it fails, the copy has to be made again.
const LOCK_LIMITS: LockLimits = { lockMs: 50, pauseMs: 500, tries: 100 }

/**
 * Checks that no other process has replaced one of the partitions since they were read.
 * @throws Abandoned if one has
 */
async function abandonIfOutdated(transaction: Transaction, partitions: Partition[]) {
  const current = await listPartitions(transaction)
  const isCurrent = partitions.every(({ suffix, fromMs, toMs, comment }) =>
    current.some(
      (other) =>
        other.suffix === suffix &&
        other.fromMs === fromMs &&
        other.toMs === toMs &&
        other.comment === comment,
    ),
  )
  if (!isCurrent) throw new Abandoned()
}

/**
 * Locks out autovacuum from the partitions until the end of the transaction, because it can hold its lock for
 * minutes. Postgres cancels an autovacuum that is already running after a second (`deadlock_timeout`). Reads
 * and writes do not conflict with this lock.
 */
async function lockVacuum(transaction: Transaction, partitions: Partition[]) {
  await transaction.query(sql`set local lock_timeout = '5s'`)
  for (const table of TABLES)
    for (const { suffix } of partitions)
      await transaction.query(sql`lock table ${tableName(table, suffix)} in share update exclusive mode`)
}

function rangeOf(partitions: Partition[]): Range {
  return { fromMs: partitions[0]?.fromMs ?? null, toMs: partitions.at(-1)?.toMs ?? null }
}

/**
 * Whether the partitions cannot be replaced now. A finished task whose callback still has to be created could
 * get its `callback_id` after it was copied, and `copyChanged` would not find that change. Callbacks are
 * usually created within a second.
 */
async function isBusy(transaction: Transaction, partitions: Partition[]): Promise<boolean> {
  for (const { suffix } of partitions) {
    const from = sql`from ${tableName(TASKS, suffix)}`
    const [busy] = await transaction.query<{ unfinished: number; isWaiting: boolean }>(sql`
      select (select count(*)::int from (select ${from} where finished_at is null limit ${MAX_UNFINISHED + 1}) as found)
               as unfinished,
             exists (select ${from} where callback_url is not null and callback_id is null and finished_at is not null)
               as "isWaiting"`)
    if (!busy || busy.isWaiting || busy.unfinished > MAX_UNFINISHED) return true
  }
  return false
}

async function takePlace(
  transaction: Transaction,
  { partitions, comment }: Replacement,
  range: Range,
  fresh: string,
) {
  for (const table of TABLES) {
    const old = partitions.map(({ suffix }) => tableName(table, suffix))
    await transaction.query(sql`drop table ${sql.join(old, sql`, `)}`)
    await attachFilled(transaction, table, range, fresh)
  }
  if (comment !== undefined)
    await transaction.query(
      sql`comment on table ${tableName(TASKS, suffixOf(range))} is ${sql.raw(`'${comment}'`)}`,
    )
}
