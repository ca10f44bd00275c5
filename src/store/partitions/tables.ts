// The partitioned tables, and the SQL that creates, attaches and lists their partitions. A partition is the
// same range of task ids in all three tables.
import type { SQL } from 'drizzle-orm'
import { firstIdOf, timeOfId } from '../../base/uuidv7.ts'
import { sql } from '../drizzle.ts'
import { type Range, suffixOf } from './bounds.ts'
import type { Transaction } from './transaction.ts'

export interface PartitionedTable {
  name: string
  /** Column with the id of the task. */
  key: string
  /** Storage settings of a partition into which tasks are submitted. A partitioned table itself has none. */
  settings: string
}

// Storage settings of a partition whose range is in the past, for all three tables. Its rows are rarely
// updated, so its pages are filled completely. The first vacuum freezes the rows, so that later ones can skip
// the pages.
const CLOSED_SETTINGS = 'fillfactor = 100, autovacuum_freeze_min_age = 0'

// Value of `comment on table` for tables that were made by `createToFill` and are not attached yet.
const UNATTACHED = 'waggle: not attached yet'

export const TASKS: PartitionedTable = {
  name: 'tasks',
  key: 'id',
  // Submission, claim and end each write a version of the row. Pages are filled to less than half, so that a
  // claim can write its version to the same page (a HOT update). The low scale factor starts vacuums early,
  // which keep the partition small under load.
  settings: 'fillfactor = 45, autovacuum_vacuum_scale_factor = 0.05',
}
export const ATTEMPTS: PartitionedTable = {
  name: 'attempts',
  key: 'task_id',
  settings: 'autovacuum_vacuum_scale_factor = 0.1',
}
const TASK_LOGS: PartitionedTable = {
  name: 'task_logs',
  key: 'task_id',
  settings: 'autovacuum_vacuum_scale_factor = 0.1',
}
export const TABLES: readonly PartitionedTable[] = [TASKS, ATTEMPTS, TASK_LOGS]

export interface Partition extends Range {
  suffix: string
  /** Number of tasks as Postgres estimates it (`reltuples`); negative if Postgres has no estimate. */
  tasks: number
  /** What `replacePartitions` has written with `comment on table`; null if there is no comment. */
  comment: string | null
}

/** Lists the partitions of `tasks`, oldest first. */
export async function listPartitions(transaction: Transaction): Promise<Partition[]> {
  const rows = await transaction.query<{
    name: string
    bound: string
    tasks: number
    comment: string | null
  }>(sql`
    select relname as name, pg_get_expr(relpartbound, pg_class.oid) as bound, reltuples::float8 as tasks,
           obj_description(pg_class.oid, 'pg_class') as comment
    from pg_inherits, pg_class where inhparent = 'tasks'::regclass and pg_class.oid = inhrelid`)
  return rows
    .map(({ name, bound, ...rest }) => ({ ...rest, ...rangeOf(bound), suffix: name.slice('tasks_'.length) }))
    .toSorted((a, b) => (a.fromMs ?? Number.NEGATIVE_INFINITY) - (b.fromMs ?? Number.NEGATIVE_INFINITY))
}

function rangeOf(bound: string): Range {
  const [, from, to] = /FROM \((?:MINVALUE|'(.+?)')\) TO \((?:MAXVALUE|'(.+?)')\)/.exec(bound) ?? []
  return { fromMs: from ? timeOfId(from) : null, toMs: to ? timeOfId(to) : null }
}

/** Returns the name of a table as SQL. It needs no quotes: only letters, digits and underscores occur. */
export const tableName = (table: PartitionedTable, suffix: string) => sql.raw(`${table.name}_${suffix}`)

/**
 * Creates an empty table with the columns and indexes of `table`, to be attached with `attach`.
 * @param options.isClosed whether the range of the partition is in the past; this chooses the storage
 *   settings
 */
export async function createDetached(
  transaction: Transaction,
  table: PartitionedTable,
  suffix: string,
  { isClosed = false } = {},
) {
  await createLike(transaction, table, suffix, isClosed ? CLOSED_SETTINGS : table.settings)
}

/**
 * Creates a table for a partition whose range is in the past, to be filled and then attached with
 * `attachFilled`. Adds a constraint for the range, so that Postgres need not scan the table when it is
 * attached. Disables autovacuum until then, because the lock of a vacuum would delay the attachment.
 */
export async function createToFill(
  transaction: Transaction,
  table: PartitionedTable,
  range: Range,
  suffix: string,
) {
  const name = tableName(table, suffix)
  await createLike(transaction, table, suffix, `${CLOSED_SETTINGS}, ${NO_VACUUM}`)
  await transaction.query(
    sql`alter table ${name} add constraint partition_range check (${isInRange(table, range)})`,
  )
  await transaction.query(sql`comment on table ${name} is ${sql.raw(`'${UNATTACHED}'`)}`)
}

const NO_VACUUM = 'autovacuum_enabled = off, toast.autovacuum_enabled = off'

async function createLike(
  transaction: Transaction,
  table: PartitionedTable,
  suffix: string,
  settings: string,
) {
  await transaction.query(
    sql`create table ${tableName(table, suffix)} (like ${sql.raw(table.name)} including all) with (${sql.raw(settings)})`,
  )
}

/** Returns the SQL condition that the id of a task is in the range. */
export function isInRange(table: PartitionedTable, { fromMs, toMs }: Range): SQL {
  const key = sql.raw(table.key)
  const isAbove = fromMs === null ? sql`true` : sql`${key} >= ${idLiteral(fromMs)}`
  const isBelow = toMs === null ? sql`true` : sql`${key} < ${idLiteral(toMs)}`
  return sql`${isAbove} and ${isBelow}`
}

/**
 * Attaches a table of `createToFill` under its final name. Postgres does not scan it, because its constraint
 * implies the range.
 */
export async function attachFilled(
  transaction: Transaction,
  table: PartitionedTable,
  range: Range,
  suffix: string,
) {
  const name = tableName(table, suffixOf(range))
  await transaction.query(sql`alter table ${tableName(table, suffix)} rename to ${name}`)
  await attach(transaction, table, range)
  await transaction.query(sql`alter table ${name} drop constraint partition_range`)
  await transaction.query(sql`alter table ${name} reset (autovacuum_enabled, toast.autovacuum_enabled)`)
  await transaction.query(sql`comment on table ${name} is null`)
}

/** Drops the tables of `createToFill` that were not attached, for example because a process crashed. */
export async function dropUnattached(transaction: Transaction) {
  const rows = await transaction.query<{ name: string }>(sql`
    select oid::regclass::text as name from pg_class
    where relkind = 'r' and obj_description(oid, 'pg_class') = ${UNATTACHED}`)
  for (const { name } of rows) await transaction.query(sql`drop table ${sql.raw(name)}`)
}

/** Attaches a table. Postgres scans it, unless it has a constraint that implies the range. */
export async function attach(
  transaction: Transaction,
  table: PartitionedTable,
  range: Range,
  suffix = suffixOf(range),
) {
  const from = range.fromMs === null ? sql.raw('minvalue') : idLiteral(range.fromMs)
  const to = range.toMs === null ? sql.raw('maxvalue') : idLiteral(range.toMs)
  await transaction.query(
    sql`alter table ${sql.raw(table.name)} attach partition ${tableName(table, suffix)} for values from (${from}) to (${to})`,
  )
}

/** Returns the lowest id of a time as a literal: data definition statements take no parameters. */
const idLiteral = (ms: number) => sql.raw(`'${firstIdOf(ms)}'`)
