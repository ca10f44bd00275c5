// Copies the tasks of a partition that have to be kept to the table that replaces the partition.
import type { SQL } from 'drizzle-orm'
import { isKey } from '../columns.ts'
import { sql } from '../drizzle.ts'
import { IS_LATE, IS_UNSUCCESSFUL } from '../schema.ts'
import { isOver } from './bounds.ts'
import { ATTEMPTS, type Partition, TABLES, TASKS, tableName } from './tables.ts'
import type { Transaction } from './transaction.ts'

/** Tasks that ended at these times or later have to be kept. Unfinished tasks are always kept. */
export interface KeptSince {
  /** For successful tasks, in ms since 1970 by the clock of Postgres. It is not before `otherMs`. */
  successMs: number
  /** For failed and cancelled tasks, in ms since 1970 by the clock of Postgres. */
  otherMs: number
}

// Maximum number of tasks that one statement copies, and the size in bytes of their inputs and results (as
// Postgres stores them) at which it ends. Such a statement takes seconds.
const COPY_BATCH = 2_000
const COPY_BYTES = 256 * 1_048_576
// Maximum number of changed tasks. They are copied while the tables are locked, which takes 10 µs per task: at
// most 20 ms.
const MAX_CHANGED = 2_000
// `finished_at` is the time at which a statement began. So a statement that began before the copy and commits
// after it writes an earlier time than that of the copy. This is twice the longest time limit of a statement
// (30 s).
const LONGEST_STATEMENT = sql.raw(`interval '60 s'`)

/** More than `MAX_CHANGED` tasks have changed during the copy. */
export class TooManyChanges extends Error {}

/** Copies the tasks that have to be kept, in their current state. */
export async function copyKept(
  transaction: Transaction,
  partition: Partition,
  fresh: string,
  kept?: KeptSince,
) {
  const { suffix } = partition
  if (kept === undefined) return copyInParts(transaction, suffix, fresh, sql`true`)
  const isKept = sql`finished_at >= case when status = 'SUCCESS' then ${timeOf(kept.successMs)} else ${timeOf(kept.otherMs)} end`
  await copyInParts(transaction, suffix, fresh, sql`finished_at is null`)
  // In a partition that is old enough, failed tasks also are too old unless they ended late. To read them all
  // would take seconds.
  if (!isOver(partition, kept.otherMs))
    await copyInParts(
      transaction,
      suffix,
      fresh,
      sql`${IS_UNSUCCESSFUL} and status <> 'SUCCESS' and ${isKept}`,
    )
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
      with next as (
        select id, ${STORED_BYTES} as bytes from ${from}
        where ${condition} and id > ${after}::uuid order by id limit ${COPY_BATCH}
      ), picked as materialized (
        select id from (select id, ${bytesBefore(sql`id`)} as bytes_before from next) as measured
        where bytes_before < ${COPY_BYTES}
      ), ${copiesOfPicked(suffix, fresh)}
      select (select id from picked order by id desc limit 1) as last`)
    after = part?.last
  }
}

// Size of the input and the result of a task in bytes, as Postgres stores them.
const STORED_BYTES = sql`pg_column_size(input) + coalesce(pg_column_size(result), 0)`

/** Returns the SQL of the sum of the sizes of all rows before a row; 0 for the first row, so that it is copied. */
const bytesBefore = (order: SQL) =>
  sql`coalesce(sum(bytes) over (order by ${order} rows between unbounded preceding and 1 preceding), 0)`

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
      with next as (
        select id, finished_at, ${STORED_BYTES} as bytes from ${from}
        where ${IS_LATE} and (finished_at, id) > (${after.at}::timestamptz, ${after.id}::uuid) and ${isKept}
        order by finished_at, id limit ${COPY_BATCH}
      ), picked as materialized (
        select id, finished_at from (
          select id, finished_at, ${bytesBefore(sql`finished_at, id`)} as bytes_before from next) as measured
        where bytes_before < ${COPY_BYTES}
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
export async function copyChanged(transaction: Transaction, { suffix }: Partition, fresh: string) {
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
