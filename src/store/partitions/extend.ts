// Makes partitions ahead of time, by dividing the newest partition. The newest partition never has an upper
// bound, so no submission is refused because its partition does not exist.
import type { SQL } from 'drizzle-orm'
import { timeOfId } from '../../base/uuidv7.ts'
import type { Database } from '../database.ts'
import { sql } from '../drizzle.ts'
import type { Queries } from '../lanes.ts'
import { boundsAhead, type Range, suffixOf, widthFor } from './bounds.ts'
import {
  attach,
  createDetached,
  isInRange,
  listPartitions,
  type Partition,
  type PartitionedTable,
  TABLES,
  TASKS,
  tableName,
} from './tables.ts'
import { Abandoned, changePartitions, type LockLimits, lockTables, type Transaction } from './transaction.ts'

/**
 * Makes the partitions of the next week (of narrow partitions, the next eight) if they do not exist yet.
 * Several processes may call it at the same time.
 * @param keptMs how long tasks are kept after their end, in milliseconds; undefined: forever. It decides the
 *   width of new partitions. Existing partitions keep their width
 * @returns the suffixes of the new partitions; none if nothing had to be done
 * @throws the error of Postgres if the tables stayed in use (`isLockTimeout`)
 */
export async function extendPartitions(
  database: Database,
  keptMs: number | undefined,
  limits?: LockLimits,
): Promise<string[]> {
  await dropConstraints(database)
  const plan = await planExtension(database, keptMs)
  if (plan === undefined) return []
  // The constraint is committed before the tables are locked, so that Postgres checks the existing rows while
  // other transactions insert more.
  if (plan.isConverted) await constrain(database, plan)
  const added = await changePartitions(database, (transaction) => divideNewest(transaction, plan, limits))
  if (added === undefined && plan.isConverted) await dropConstraints(database)
  return added ?? []
}

interface Extension {
  newest: Partition
  /**
   * True if the newest partition has too many tasks to move them: it is kept and gets an upper bound, the
   * first of `bounds`, which is above all of its ids. False if it is dropped, and its tasks move to the new
   * partitions.
   */
  isConverted: boolean
  /** Bounds between the partitions, in ms since 1970 and in ascending order. */
  bounds: [number, ...number[]]
}

// Maximum number of rows of each table that are moved while the tables are locked. Such tasks were submitted
// by processes whose clocks are ahead, or before the first worker has started.
const MAX_MOVED = 2_000

async function planExtension(
  queries: Pick<Queries, 'query'>,
  keptMs: number | undefined,
): Promise<Extension | undefined> {
  const newest = (await listPartitions(queries)).at(-1)
  if (newest === undefined) throw new Error('The table "tasks" has no partition')
  const [found] = await queries.query<{ id: string | null; nowMs: number }>(sql`
    select (select id from ${tableName(TASKS, newest.suffix)} order by id desc limit 1) as id,
           extract(epoch from now())::float8 * 1000 as "nowMs"`)
  const { id = null, nowMs = 0 } = found ?? {}
  const isConverted = await isLarge(queries, newest)
  const newestTaskMs = isConverted && id ? timeOfId(id) : null
  const [first, ...others] = boundsAhead(newest, newestTaskMs, nowMs, widthFor(keptMs))
  return first === undefined ? undefined : { newest, isConverted, bounds: [first, ...others] }
}

/**
 * Adds a constraint that all ids are in the range that the partition will have, and makes Postgres check the
 * existing rows. Because of it, Postgres does not scan the table while the tables are locked and the
 * partition gets this range.
 */
async function constrain(database: Database, { newest, bounds }: Extension) {
  const range = { fromMs: newest.fromMs, toMs: bounds[0] }
  for (const table of TABLES) {
    const name = tableName(table, newest.suffix)
    await changePartitions(database, async (transaction) => {
      await abandonIfOutdated(transaction, newest)
      // All later statements on the table wait behind this lock.
      await transaction.query(sql`set local lock_timeout = '50ms'`)
      // Another process may have added the constraint, with another bound.
      await transaction.query(sql`alter table ${name} drop constraint if exists partition_range`)
      await transaction.query(
        sql`alter table ${name} add constraint partition_range check (${isInRange(table, range)}) not valid`,
      )
    })
    await changePartitions(database, async (transaction) => {
      await abandonIfOutdated(transaction, newest)
      // Another process can have dropped the constraint since.
      if (!(await hasConstraint(transaction, [name]))) throw new Abandoned()
      await transaction.query(sql`alter table ${name} validate constraint partition_range`)
    })
  }
}

/**
 * Drops the constraints of an extension that was not completed, for example because its process was killed. A
 * constraint refuses submissions as soon as their ids reach its bound.
 */
async function dropConstraints(database: Database) {
  const find = sql<{ name: string }>`
    select conrelid::regclass::text as name from pg_constraint, pg_class
    where conname = 'partition_range' and pg_class.oid = conrelid and relispartition`
  if ((await database.query(find)).length === 0) return
  await changePartitions(database, async (transaction) => {
    await transaction.query(sql`set local lock_timeout = '1s'`)
    for (const { name } of await transaction.query<{ name: string }>(find))
      await transaction.query(sql`alter table ${sql.raw(name)} drop constraint partition_range`)
  })
}

async function divideNewest(
  transaction: Transaction,
  { newest, isConverted, bounds }: Extension,
  limits?: LockLimits,
): Promise<string[]> {
  const added = rangesOf(bounds)
  const closed: Range = { fromMs: newest.fromMs, toMs: bounds[0] }
  const created = isConverted ? added : [closed, ...added]
  // The tables are created before the lock, because creating them takes longer than attaching them.
  for (const range of created)
    for (const table of TABLES) await createDetached(transaction, table, temporarySuffixOf(range))
  await lockTables(transaction, limits)
  await abandonIfOutdated(transaction, newest)
  const isReady = isConverted
    ? await hasConstraint(
        transaction,
        TABLES.map((table) => tableName(table, newest.suffix)),
        { isChecked: true },
      )
    : !(await isLarge(transaction, newest))
  if (!isReady) throw new Abandoned()
  for (const table of TABLES) {
    const old = tableName(table, newest.suffix)
    await transaction.query(sql`alter table ${sql.raw(table.name)} detach partition ${old}`)
    if (isConverted) {
      await rename(transaction, table, newest.suffix, suffixOf(closed))
      await attach(transaction, table, closed)
      await transaction.query(
        sql`alter table ${tableName(table, suffixOf(closed))} drop constraint if exists partition_range`,
      )
    } else await rename(transaction, table, newest.suffix, DIVIDED)
    for (const range of created) {
      await rename(transaction, table, temporarySuffixOf(range), suffixOf(range))
      await attach(transaction, table, range)
    }
    if (isConverted) continue
    const divided = tableName(table, DIVIDED)
    await transaction.query(sql`insert into ${sql.raw(table.name)} select * from ${divided}`)
    await transaction.query(sql`drop table ${divided}`)
  }
  return [closed, ...added].map(suffixOf)
}

/** Whether all of these tables have the constraint of `constrain`. */
async function hasConstraint(
  transaction: Transaction,
  tables: SQL[],
  { isChecked = false } = {},
): Promise<boolean> {
  const ids = tables.map((table) => sql`'${table}'::regclass`)
  const [found] = await transaction.query<{ count: number }>(sql`
    select count(*)::int as count from pg_constraint
    where conname = 'partition_range' and (convalidated or not ${isChecked}) and conrelid in (${sql.join(ids, sql`, `)})`)
  return found?.count === tables.length
}

/** Suffix of the divided partition while its tasks are moved. */
const DIVIDED = 'divided'

/** Returns the ranges between the bounds, and the range above the last bound. */
function rangesOf(bounds: number[]): Range[] {
  return bounds.map((fromMs, index) => ({ fromMs, toMs: bounds[index + 1] ?? null }))
}

/**
 * Returns the suffix of a new table until it is attached. The final name can still belong to the partition
 * that is divided.
 */
const temporarySuffixOf = (range: Range) => `${suffixOf(range)}_next`

/** Checks that no other process has divided the partition since it was read. @throws Abandoned if one has */
async function abandonIfOutdated(transaction: Transaction, { fromMs }: Partition): Promise<void> {
  const current = (await listPartitions(transaction)).at(-1)
  if (current?.fromMs !== fromMs) throw new Abandoned()
}

/** Whether one of the tables has more rows than `MAX_MOVED`. */
async function isLarge(queries: Pick<Queries, 'query'>, { suffix }: Partition): Promise<boolean> {
  const counts = TABLES.map(
    (table) =>
      sql`select count(*)::int as count from (select from ${tableName(table, suffix)} limit ${MAX_MOVED + 1}) as rows_read`,
  )
  const rows = await queries.query<{ count: number }>(sql.join(counts, sql` union all `))
  return rows.some(({ count }) => count > MAX_MOVED)
}

async function rename(transaction: Transaction, table: PartitionedTable, from: string, to: string) {
  await transaction.query(
    sql`alter table ${tableName(table, from)} rename to ${sql.raw(`${table.name}_${to}`)}`,
  )
}
