// Removes old tasks without deleting rows: replaces partitions by a new one that contains only the tasks that
// have to be kept. Usually there are none, and the old tables are only dropped.
//
// The tasks that have to be kept are copied first, in short transactions, while other statements read and
// write as usual. Then the tables are locked for some tens of milliseconds: the tasks that may have changed
// meanwhile are copied again, and the new tables replace the old ones.
import type { SQL } from 'drizzle-orm'
import { isKey } from '../columns.ts'
import type { Database } from '../database.ts'
import { sql } from '../drizzle.ts'
import { IS_LATE, IS_UNSUCCESSFUL } from '../schema.ts'
import { type Range, suffixOf } from './bounds.ts'
import {
  ATTEMPTS,
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

/** Tasks that ended at these times or later have to be kept. Unfinished tasks are always kept. */
export interface KeptSince {
  /** For successful tasks, in ms since 1970 by the clock of Postgres. It is not before `otherMs`. */
  successMs: number
  /** For failed and cancelled tasks, in ms since 1970 by the clock of Postgres. */
  otherMs: number
}

export interface Replacement {
  /** Partitions with adjacent ranges, oldest first. */
  partitions: Partition[]
  /** Undefined keeps all tasks: the new partition is only more compact. */
  keptSince?: KeptSince
  /** Comment of the new table of `tasks` (`comment on table`). */
  comment?: string
}

// Number of tasks that one statement copies. With inputs of 256 KiB that is half a gigabyte, which takes
// seconds.
const COPY_BATCH = 2_000
// Maximum numbers of unfinished tasks and of changed tasks in a partition. While the tables are locked, the
// former are compared and the latter are copied, which takes 2 and 10 µs per task: at most 20 ms each.
const MAX_UNFINISHED = 10_000
const MAX_CHANGED = 2_000
// `finished_at` is the time at which a statement began. So a statement that began before the copy and commits
// after it writes an earlier time than that of the copy. This is twice the longest time limit of a statement
// (30 s).
const LONGEST_STATEMENT = sql.raw(`interval '60 s'`)

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

/** More than `MAX_CHANGED` tasks have changed during the copy. */
class TooManyChanges extends Error {}

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

/** Copies the tasks that have to be kept, in their current state. */
async function copyKept(transaction: Transaction, { suffix }: Partition, fresh: string, kept?: KeptSince) {
  if (kept === undefined) return copyInParts(transaction, suffix, fresh, sql`true`)
  const isKept = sql`finished_at >= case when status = 'SUCCESS' then ${timeOf(kept.successMs)} else ${timeOf(kept.otherMs)} end`
  await copyInParts(transaction, suffix, fresh, sql`finished_at is null`)
  await copyInParts(transaction, suffix, fresh, sql`${IS_UNSUCCESSFUL} and status <> 'SUCCESS' and ${isKept}`)
  await copyLate(transaction, suffix, fresh, { isKept, fromMs: kept.otherMs })
}

const timeOf = (ms: number) => sql`to_timestamp(${ms / 1_000}::float8)`

/**
 * Copies the tasks that fulfil a condition, in the order of ids. The condition must be that of an index on
 * the id.
 */
async function copyInParts(transaction: Transaction, suffix: string, fresh: string, condition: SQL) {
  const from = tableName(TASKS, suffix)
  for (let after: string | null | undefined = '00000000-0000-0000-0000-000000000000'; after; ) {
    const [part]: { last: string | null }[] = await transaction.query(sql`
      with picked as materialized (
        select id from ${from} where ${condition} and id > ${after}::uuid order by id limit ${COPY_BATCH}
      ), ${copiesOfPicked(suffix, fresh)}
      select (select id from picked order by id desc limit 1) as last`)
    after = part?.last
  }
}

/** Copies the tasks that ended late and have to be kept, in the order of the index `tasks_late`. */
async function copyLate(
  transaction: Transaction,
  suffix: string,
  fresh: string,
  { isKept, fromMs }: { isKept: SQL; fromMs: number },
) {
  const from = tableName(TASKS, suffix)
  let after: { id: string | null; at: string | null } = {
    id: '00000000-0000-0000-0000-000000000000',
    at: new Date(fromMs).toISOString(),
  }
  while (after.id !== null) {
    const [last] = await transaction.query<typeof after>(sql`
      with picked as materialized (
        select id, finished_at from ${from}
        where ${IS_LATE} and (finished_at, id) > (${after.at}::timestamptz, ${after.id}::uuid) and ${isKept}
        order by finished_at, id limit ${COPY_BATCH}
      ), ${copiesOfPicked(suffix, fresh)}
      select last.id, last.finished_at::text as at
      from (select 1) as one left join (select * from picked order by finished_at desc, id desc limit 1) as last on true`)
    after = last ?? { id: null, at: null }
  }
}

/**
 * Returns CTEs that copy the tasks of the CTE `picked` with their attempts and logs. Skips tasks that were
 * copied.
 */
function copiesOfPicked(suffix: string, fresh: string): SQL {
  const copies = TABLES.map((table) => {
    const old = tableName(table, suffix)
    return sql`${sql.raw(`copied_${table.name}`)} as (
      insert into ${tableName(table, fresh)} select old.* from picked, ${old} as old
      where ${isKey(`old.${table.key}`, 'picked.id')} on conflict do nothing)`
  })
  return sql.join(copies, sql`, `)
}

/**
 * Copies again the tasks that may have changed since they were copied. The tables are locked. These are:
 *
 * - unfinished tasks that differ from their copies, and all running tasks, because a new log line does not
 *   change the row of its task;
 * - tasks that ended since. All of them are in the index `tasks_late`, because the range of their partition
 *   ended long enough ago. A manual retry makes a finished task unfinished first;
 * - tasks whose copy is unfinished although they have ended. The index condition above misses them if the
 *   clock of Postgres was set back during the copy;
 * - tasks for which a late end of an attempt was recorded.
 *
 * No task was deleted since (see `besideChanges`).
 */
async function copyChanged(transaction: Transaction, { suffix }: Partition, fresh: string) {
  const [old, copy] = [tableName(TASKS, suffix), tableName(TASKS, fresh)]
  const [oldAttempts, copiedAttempts] = [tableName(ATTEMPTS, suffix), tableName(ATTEMPTS, fresh)]
  const changed = await transaction.query<{ id: string }>(sql`
    select old.id from ${old} as old left join ${copy} as copy on ${isKey('copy.id', 'old.id')}
    where old.finished_at is null
      and (old.status = 'STARTED' or (old.version, old.attempt, old.enqueued_at, old.is_isolated, old.crashes)
          is distinct from (copy.version, copy.attempt, copy.enqueued_at, copy.is_isolated, copy.crashes))
    union
    select id from ${old} where ${IS_LATE} and finished_at >= transaction_timestamp() - ${LONGEST_STATEMENT}
    union
    select copy.id from ${copy} as copy join ${old} as old on ${isKey('old.id', 'copy.id')}
    where copy.finished_at is null and old.finished_at is not null
    union
    select late.task_id from ${oldAttempts} as late
    join ${copy} as copy on ${isKey('copy.id', 'late.task_id')}
    where late.refused is not null and not exists (
      select from ${copiedAttempts} as known
      where known.task_id = late.task_id and known.id = late.id and known.refused is not null)
    limit ${MAX_CHANGED + 1}`)
  if (changed.length === 0) return
  if (changed.length > MAX_CHANGED) throw new TooManyChanges()
  const ids = sql`array(select json_array_elements_text(${JSON.stringify(changed.map(({ id }) => id))}::json)::uuid)`
  for (const table of TABLES) {
    const isChanged = sql`${sql.raw(table.key)} = any(${ids})`
    await transaction.query(sql`delete from ${tableName(table, fresh)} where ${isChanged}`)
    await transaction.query(
      sql`insert into ${tableName(table, fresh)} select * from ${tableName(table, suffix)} where ${isChanged}`,
    )
  }
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
