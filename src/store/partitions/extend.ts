// Makes partitions ahead of time: divides the newest partition, which has no upper bound, so that no submission
// is ever refused because its partition does not exist.
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
 * Makes the partitions of the next week if they do not exist yet. Several processes may call it at the same
 * time.
 * @param keptMs how long tasks are kept after their end; undefined: forever. New partitions have a width that
 *   follows from it, and the width of the existing ones does not matter
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
  // Committed before the tables are locked, so that Postgres reads the tasks of the partition while others
  // insert more.
  if (plan.isConverted) await constrain(database, plan)
  const added = await changePartitions(database, (transaction) => divideNewest(transaction, plan, limits))
  if (added === undefined && plan.isConverted) await dropConstraints(database)
  return added ?? []
}

interface Extension {
  newest: Partition
  /**
   * Whether the newest partition gets an upper bound, because it has too many tasks to move them. All of its
   * ids are below the first bound. Otherwise it is dropped, and its tasks move to the new ones.
   */
  isConverted: boolean
  /** At least one, in ascending order. */
  bounds: [number, ...number[]]
}

// Maximum number of rows of each table that are moved while the tables are locked. Their tasks have come from
// processes whose clocks are ahead, or from the time before the first worker.
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
 * existing rows. With it, Postgres does not read them again when the partition gets this range.
 */
async function constrain(database: Database, { newest, bounds }: Extension) {
  const range = { fromMs: newest.fromMs, toMs: bounds[0] }
  for (const table of TABLES) {
    const name = tableName(table, newest.suffix)
    await changePartitions(database, async (transaction) => {
      await abandonIfOutdated(transaction, newest)
      await transaction.query(sql`set local lock_timeout = '50ms'`)
      // Another process may have added one for the same purpose.
      await transaction.query(sql`alter table ${name} drop constraint if exists partition_range`)
      await transaction.query(
        sql`alter table ${name} add constraint partition_range check (${isInRange(table, range)}) not valid`,
      )
    })
    await changePartitions(database, async (transaction) => {
      await abandonIfOutdated(transaction, newest)
      await transaction.query(sql`alter table ${name} validate constraint partition_range`)
    })
  }
}

/** Drops the constraints that an extension has left that was not completed: they could refuse submissions. */
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
  // Tables are created before the lock, because that takes longer than to attach them.
  for (const range of created)
    for (const table of TABLES) await createDetached(transaction, table, temporarySuffixOf(range))
  await lockTables(transaction, limits)
  await abandonIfOutdated(transaction, newest)
  if (!isConverted && (await isLarge(transaction, newest))) throw new Abandoned()
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

/** Suffix of the old newest partition while its tasks are moved. */
const DIVIDED = 'divided'

/** The ranges between the bounds, and the one above the last bound. */
function rangesOf(bounds: number[]): Range[] {
  return bounds.map((fromMs, index) => ({ fromMs, toMs: bounds[index + 1] ?? null }))
}

/** The old partition has its name until the lock, so the new ones have other names until then. */
const temporarySuffixOf = (range: Range) => `${suffixOf(range)}_next`

/** Checks whether another process has divided the partition since. */
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
