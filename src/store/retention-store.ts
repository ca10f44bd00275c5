// Retention in the database. Old tasks are removed with their partition if possible (partitions/). This file
// deletes the others row by row, with their attempts and logs, and old idempotency keys.
import type { SQL } from 'drizzle-orm'
import { firstIdOf } from '../base/uuidv7.ts'
import type { Database } from './database.ts'
import { sql } from './drizzle.ts'
import { LATE_MS } from './partitions/bounds.ts'
import { compactOldest, expirePartitions } from './partitions/expire.ts'
import { extendPartitions } from './partitions/extend.ts'
import {
  listPartitions,
  type Partition,
  type PartitionedTable,
  TABLES,
  TASKS,
  tableName,
} from './partitions/tables.ts'
import { besideChanges, type Transaction } from './partitions/transaction.ts'
import { type RetentionPolicy, type RowRule, successMsOf } from './retention-policy.ts'
import { IS_LATE } from './schema.ts'
import { texts } from './statements.ts'

/** Result of one step of a scan of tasks in the order of their ids. */
export interface PruneStep {
  /** Number of deleted tasks. */
  deleted: number
  /** Id of the last scanned task. The next step starts after it. */
  lastId: string
  /** True if no task follows in the scanned range, or if the step was skipped (see `pruneTasks`). */
  isAtEnd: boolean
}

/** An id that is lower than the id of every task. A scan starts after it. */
export const LOWEST_ID = firstIdOf(0)

export type RetentionStore = ReturnType<typeof createRetentionStore>

export function createRetentionStore(database: Database) {
  const { maintenance } = database
  return {
    /** Makes partitions ahead of time, see `extendPartitions`. */
    extend: ({ keptMs }: RetentionPolicy) => extendPartitions(database, keptMs),

    /** Removes old tasks by replacing partitions, see `expirePartitions`. */
    expirePartitions: (policy: RetentionPolicy) => expirePartitions(database, policy),

    /** Compacts one partition whose range is in the past, see `compactOldest`. */
    compactOldest: (policy: RetentionPolicy) => compactOldest(database, policy),

    /**
     * Scans the next `limit` tasks of a partition after `afterId`, in the order of ids. Deletes those that
     * are too old, unless their callback still has to be created or another transaction has locked them. Does
     * nothing while a process changes partitions, and returns `afterId` as `lastId`.
     */
    async pruneTasks(
      { suffix }: Partition,
      policy: RetentionPolicy,
      afterId: string,
      limit: number,
    ): Promise<PruneStep> {
      const step = await besideChanges(maintenance, async (transaction) => {
        if (!(await hasPartition(transaction, suffix))) return undefined
        const statement = pruneStatement(suffix, { afterId, isOld: isOldFor(policy), limit })
        return runStep(transaction, statement, afterId, limit)
      })
      return step ?? { deleted: 0, lastId: afterId, isAtEnd: true }
    },

    /**
     * Scans tasks in the order of ids, `limit` per statement, and deletes those that are too old by a rule.
     * Starts at the position at which the last call of any process stopped. Does nothing if another process
     * does this for the same rule, or changes partitions.
     * @returns how many tasks were deleted, and whether tasks follow that have to be scanned
     */
    async pruneByRule(rule: RowRule, limit: number): Promise<{ deleted: number; isMore: boolean }> {
      const step = await besideChanges(maintenance, async (transaction) => {
        const { query } = transaction
        const partitions = await listPartitions(transaction)
        await query(
          sql`insert into retention_progress (rule, last_id) values (${rule.key}, ${LOWEST_ID}) on conflict do nothing`,
        )
        const [progress] = await query<{ lastId: string; nowMs: number }>(sql`
            select last_id as "lastId", extract(epoch from now())::float8 * 1000 as "nowMs" from retention_progress
            where rule = ${rule.key} for update skip locked`)
        if (!progress) return { deleted: 0, isMore: false }
        // A successful task below this id either ended within `LATE_MS` after its submission, and so is too
        // old now, or it ends later, and `pruneLate` deletes it.
        const untilId = firstIdOf(progress.nowMs - rule.successMs - LATE_MS)
        let { lastId } = progress
        let deleted = 0
        let isAtEnd = true
        for (const { suffix, toMs } of partitions) {
          if (toMs !== null && firstIdOf(toMs) <= lastId) continue
          const statement = pruneStatement(suffix, {
            afterId: lastId,
            untilId,
            isOld: isOldBy(rule),
            limit,
          })
          const step = await runStep(transaction, statement, lastId, limit)
          lastId = step.lastId
          deleted += step.deleted
          isAtEnd = step.isAtEnd
          if (!isAtEnd) break
        }
        await query(sql`update retention_progress set last_id = ${lastId} where rule = ${rule.key}`)
        return { deleted, isMore: !isAtEnd }
      })
      return step ?? { deleted: 0, isMore: false }
    },

    /**
     * Deletes up to `limit` tasks that are too old by a rule and ended more than an hour (`LATE_MS`) after
     * their submission. The scan of `pruneByRule` can have passed them before they were too old.
     * @returns how many were deleted
     */
    async pruneLate(rule: RowRule, limit: number): Promise<number> {
      const statement = pruneLateStatement((table) => sql.raw(table.name), isOldBy(rule), limit)
      const rows = await besideChanges(maintenance, ({ query }) => query<{ deleted: number }>(statement))
      return rows?.[0]?.deleted ?? 0
    },

    /**
     * Deletes up to `limit` tasks of a partition that are too old and ended more than an hour (`LATE_MS`) after
     * their submission. A partition that was replaced contains no other old tasks.
     * @returns how many were deleted
     */
    async pruneThinned({ suffix }: Partition, policy: RetentionPolicy, limit: number): Promise<number> {
      const statement = pruneLateStatement((table) => tableName(table, suffix), isOldFor(policy), limit)
      const rows = await besideChanges(maintenance, async (transaction) =>
        (await hasPartition(transaction, suffix))
          ? transaction.query<{ deleted: number }>(statement)
          : undefined,
      )
      return rows?.[0]?.deleted ?? 0
    },

    /** Deletes up to `limit` idempotency keys that are older than `keptMs` milliseconds. @returns how many */
    async pruneKeys(keptMs: number, limit: number): Promise<number> {
      const rows = await maintenance.query(sql`
        delete from idempotency_keys where key in (
          select key from idempotency_keys where created_at < now() - ${keptMs}::float8 * interval '1 ms'
          order by created_at limit ${limit} for update skip locked
        ) returning key`)
      return rows.length
    },
  }
}

/** Returns the SQL condition that a task is too old by a rule. */
function isOldBy({ names, successMs }: RowRule): SQL {
  const isNamed = names ? sql`name = any(array(select value from ${texts(names)}))` : sql`true`
  return sql`status = 'SUCCESS' and ${isNamed} and finished_at < now() - ${successMs}::float8 * interval '1 ms'`
}

/** Returns the SQL condition that a task is too old by the times for all definitions. */
function isOldFor(policy: RetentionPolicy): SQL {
  const { keptMs = null } = policy
  const successMs = successMsOf(policy) ?? null
  return sql`finished_at < now() - case when status = 'SUCCESS' then ${successMs}::float8 else ${keptMs}::float8 end
    * interval '1 ms'`
}

/** Whether a partition still exists: another process can have replaced it since it was listed. */
async function hasPartition(transaction: Transaction, suffix: string): Promise<boolean> {
  return (await listPartitions(transaction)).some((partition) => partition.suffix === suffix)
}

// SQL condition: the task requested no callback, or its callback was created.
const HAS_NO_CALLBACK_LEFT = sql`(callback_url is null or callback_id is not null)`

interface PruneOptions {
  afterId: string
  /** Only tasks with lower ids are scanned. */
  untilId?: string
  /** SQL condition of the tasks to delete. */
  isOld: SQL
  limit: number
}

/**
 * Returns the statement that scans and deletes tasks of one partition. It compares ids with
 * `= any(array[id])`, so that the planner finds each row by the primary key (see `isKey`).
 */
export function pruneStatement(suffix: string, { afterId, untilId, isOld, limit }: PruneOptions): SQL {
  const tasks = tableName(TASKS, suffix)
  const isBelow = untilId === undefined ? sql`true` : sql`id < ${untilId}::uuid`
  return sql`
    with scanned as materialized (
      select id from ${tasks} where id > ${afterId}::uuid and ${isBelow} order by id limit ${limit}
    ), old as materialized (
      select tasks.id from scanned, ${tasks} as tasks
      where tasks.id = any(array[scanned.id]) and ${isOld} and ${HAS_NO_CALLBACK_LEFT}
      for update of tasks skip locked
    ), ${deletionsOf((table) => tableName(table, suffix))}
    select (select count(*)::int from scanned) as scanned, (select count(*)::int from deleted_tasks) as deleted,
           (select id from scanned order by id desc limit 1) as "lastId"`
}

/** Returns a statement that deletes up to `limit` tasks of the index `tasks_late` that fulfil `isOld`. */
function pruneLateStatement(nameOf: (table: PartitionedTable) => SQL, isOld: SQL, limit: number): SQL {
  return sql`
    with old as materialized (
      select id from ${nameOf(TASKS)} as tasks
      where ${IS_LATE} and ${isOld} and ${HAS_NO_CALLBACK_LEFT}
      order by finished_at limit ${limit} for update skip locked
    ), ${deletionsOf(nameOf)}
    select count(*)::int as deleted from deleted_tasks`
}

/** Returns CTEs that delete the tasks of the CTE `old` with their attempts and logs. */
function deletionsOf(nameOf: (table: PartitionedTable) => SQL): SQL {
  const deletions = TABLES.map((table) => {
    const key = sql.raw(table.key)
    return sql`${sql.raw(`deleted_${table.name}`)} as (
      delete from ${nameOf(table)} as gone using old where gone.${key} = any(array[old.id]) returning gone.${key})`
  })
  return sql.join(deletions, sql`, `)
}

async function runStep(
  { query }: Transaction,
  statement: SQL,
  afterId: string,
  limit: number,
): Promise<PruneStep> {
  const [step] = await query<{ scanned: number; deleted: number; lastId: string | null }>(statement)
  const { scanned = 0, deleted = 0, lastId } = step ?? {}
  return { deleted, lastId: lastId ?? afterId, isAtEnd: scanned < limit }
}
