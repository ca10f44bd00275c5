// Makes partitions ahead of time: divides the newest partition, which has no upper bound, so that no submission
// is ever refused because its partition does not exist.
import { timeOfId } from '../../base/uuidv7.ts'
import { sql } from '../drizzle.ts'
import type { Queries } from '../lanes.ts'
import { boundsAhead, type Range, suffixOf, widthFor } from './bounds.ts'
import {
  attach,
  createDetached,
  idLiteral,
  listPartitions,
  type Partition,
  type PartitionedTable,
  TABLES,
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
  queries: Queries,
  keptMs: number | undefined,
  limits?: LockLimits,
): Promise<string[]> {
  const plan = await planExtension(queries, keptMs)
  if (plan === undefined) return []
  // Committed before the tables are locked, so that Postgres reads the tasks of the partition while others
  // insert more.
  if (plan.hasTasks) await constrain(queries, plan.newest, plan.bounds[0])
  return (await changePartitions(queries, (transaction) => divideNewest(transaction, plan, limits))) ?? []
}

interface Extension {
  newest: Partition
  hasTasks: boolean
  /** At least one, in ascending order. All are above the ids in the partition. */
  bounds: [number, ...number[]]
}

async function planExtension(
  queries: Pick<Queries, 'query'>,
  keptMs: number | undefined,
): Promise<Extension | undefined> {
  const newest = (await listPartitions(queries)).at(-1)
  if (newest === undefined) throw new Error('The table "tasks" has no partition')
  const [highest] = await queries.query<{ id: string | null; nowMs: number }>(sql`
    select (select id from ${tableName(TASKS, newest.suffix)} order by id desc limit 1) as id,
           extract(epoch from now())::float8 * 1000 as "nowMs"`)
  const newestTaskMs = highest?.id ? timeOfId(highest.id) : null
  const bounds = boundsAhead(newest, newestTaskMs, highest?.nowMs ?? 0, widthFor(keptMs))
  const [first, ...others] = bounds
  return first === undefined
    ? undefined
    : { newest, hasTasks: newestTaskMs !== null, bounds: [first, ...others] }
}

const TASKS = TABLES[0] as PartitionedTable

/**
 * Adds a constraint that all ids are in the range that the partition will have, and makes Postgres check the
 * existing rows. With it, Postgres does not read them again when the partition gets this range.
 */
async function constrain(queries: Queries, { suffix, fromMs }: Partition, toMs: number) {
  for (const table of TABLES) {
    const name = tableName(table, suffix)
    const key = sql.raw(table.key)
    const isAbove = fromMs === null ? sql`true` : sql`${key} >= ${idLiteral(fromMs)}`
    await changePartitions(queries, async (transaction) => {
      await transaction.query(sql`set local lock_timeout = '50ms'`)
      await transaction.query(sql`alter table ${name} drop constraint if exists ledger_bound`)
      await transaction.query(
        sql`alter table ${name} add constraint ledger_bound check (${isAbove} and ${key} < ${idLiteral(toMs)}) not valid`,
      )
    })
    await changePartitions(queries, (transaction) =>
      transaction.query(sql`alter table ${name} validate constraint ledger_bound`),
    )
  }
}

async function divideNewest(
  transaction: Transaction,
  plan: Extension,
  limits?: LockLimits,
): Promise<string[]> {
  const { newest, hasTasks, bounds } = plan
  const added = rangesOf(bounds)
  const closed: Range = { fromMs: newest.fromMs, toMs: bounds[0] }
  const created = hasTasks ? added : [closed, ...added]
  // Tables are created before the lock, because that takes longer than to attach them.
  for (const range of created)
    for (const table of TABLES) await createDetached(transaction, table, temporarySuffixOf(range))
  await lockTables(transaction, limits)
  await abandonIfOutdated(transaction, plan)
  for (const table of TABLES) {
    const old = tableName(table, newest.suffix)
    if (hasTasks) {
      await transaction.query(sql`alter table ${sql.raw(table.name)} detach partition ${old}`)
      await rename(transaction, table, newest.suffix, suffixOf(closed))
      await attach(transaction, table, closed)
      await transaction.query(
        sql`alter table ${tableName(table, suffixOf(closed))} drop constraint ledger_bound`,
      )
    } else await transaction.query(sql`drop table ${old}`)
    for (const range of created) {
      await rename(transaction, table, temporarySuffixOf(range), suffixOf(range))
      await attach(transaction, table, range)
    }
  }
  return [closed, ...added].map(suffixOf)
}

/** The ranges between the bounds, and the one above the last bound. */
function rangesOf(bounds: number[]): Range[] {
  return bounds.map((fromMs, index) => ({ fromMs, toMs: bounds[index + 1] ?? null }))
}

/** The old partition has its name until the lock, so the new ones have other names until then. */
const temporarySuffixOf = (range: Range) => `${suffixOf(range)}_next`

/** Checks whether another process has divided the partition since, or the first task was submitted to it. */
async function abandonIfOutdated(transaction: Transaction, { newest, hasTasks }: Extension): Promise<void> {
  const current = (await listPartitions(transaction)).at(-1)
  if (current?.fromMs !== newest.fromMs) throw new Abandoned()
  if (hasTasks) return
  const rows = await transaction.query(sql`select from ${tableName(TASKS, newest.suffix)} limit 1`)
  if (rows.length > 0) throw new Abandoned()
}

async function rename(transaction: Transaction, table: PartitionedTable, from: string, to: string) {
  await transaction.query(
    sql`alter table ${tableName(table, from)} rename to ${sql.raw(`${table.name}_${to}`)}`,
  )
}
