// Retention of whole partitions: removes old tasks by replacing the partitions that contain them.

import type { Database } from '../database.ts'
import { sql } from '../drizzle.ts'
import { type RetentionPolicy, successMsOf } from '../retention-policy.ts'
import { IS_UNSUCCESSFUL } from '../schema.ts'
import { isOver, widthFor } from './bounds.ts'
import { type Replacement, type ReplacementResult, replacePartitions } from './replace.ts'
import { listPartitions, type Partition, TASKS, tableName } from './tables.ts'

/** Result of `expirePartitions`. */
export interface ExpiryResult {
  /** Suffixes of the replaced partitions: those that joined the oldest one, and those replaced alone. */
  replaced: string[]
  /** Partitions with old tasks that could not be replaced. The caller deletes these tasks row by row. */
  remaining: Partition[]
  /**
   * Partitions that were replaced alone, now or earlier. Tasks that were unfinished or ended late are still in
   * them. The caller deletes those of them row by row that have become too old.
   */
  thinned: Partition[]
  /** Error that ended the replacements, e.g. because the tables stay in use (`isLockTimeout`). */
  error?: unknown
}

// Comments (`comment on table`) of partitions that were replaced. They tell what the replacement has removed:
// nothing or, in the oldest partition, all old tasks; the old successful tasks; all old tasks. A partition is not
// replaced again for the same purpose.
export const COMPACT = 'waggle: compact'
const WITHOUT_SUCCESSES = 'waggle: without old successful tasks'
const WITHOUT_OLD = 'waggle: without old tasks'

// Maximum number of partitions that join the oldest one at a time. Each change makes every connection plan its
// statements again, so few changes are better than many. But while the tables are locked, each partition takes
// some milliseconds.
const MAX_JOINING = 8

/**
 * Removes old tasks from all partitions whose range ended longer ago than tasks are kept plus `LATE_MS`. All
 * of their tasks are too old then, except unfinished ones and those that ended late. Such partitions join the
 * oldest one: they are replaced by a new oldest partition with the tasks that have to be kept. If only the
 * successful tasks are too old, a partition is replaced by a smaller one with the same range.
 */
export async function expirePartitions(database: Database, policy: RetentionPolicy): Promise<ExpiryResult> {
  const { partitions, nowMs } = await readPartitions(database)
  const keptSince = {
    successMs: nowMs - (successMsOf(policy) ?? nowMs),
    otherMs: nowMs - (policy.keptMs ?? nowMs),
  }
  const result: ExpiryResult = { replaced: [], remaining: [], thinned: [] }
  let isStopped = false
  const [oldest, ...others] = partitions
  const expired = others.filter((partition) => isOver(partition, keptSince.otherMs))
  const joined = oldest === undefined ? 0 : await join(oldest, expired)
  for (const partition of others.slice(joined)) {
    const isExpired = isOver(partition, keptSince.otherMs)
    if (isExpired || isOver(partition, keptSince.successMs)) await thin(partition, isExpired)
    else if (isWide(partition, policy, keptSince.successMs)) result.remaining.push(partition)
  }
  return result

  /**
   * Joins partitions with the oldest one. Stops at the first that cannot be replaced: younger ones cannot join
   * then, because joined ranges must be adjacent.
   * @returns how many have joined
   */
  async function join(oldest: Partition, expired: Partition[]): Promise<number> {
    let count = 0
    for (let size = MAX_JOINING; count < expired.length; ) {
      const next = expired.slice(count, count + size)
      const replacement = { partitions: [oldest, ...next], keptSince, comment: COMPACT }
      if ((await replace(replacement)) === 'replaced') {
        result.replaced.push(...next.map(({ suffix }) => suffix))
        count += next.length
        const { toMs } = next.at(-1) as Partition
        oldest = { ...oldest, toMs, comment: COMPACT }
      } else if (size === 1 || isStopped) return count
      else size = 1
    }
    return count
  }

  /** Replaces a partition by a smaller one, unless that was done before. */
  async function thin(partition: Partition, isExpired: boolean) {
    const comment = isExpired ? WITHOUT_OLD : WITHOUT_SUCCESSES
    if (partition.comment === comment || partition.comment === WITHOUT_OLD)
      return void result.thinned.push(partition)
    const isPossible = isExpired || (await isWorthwhile(database, partition))
    const outcome = isPossible ? await replace({ partitions: [partition], keptSince, comment }) : 'busy'
    if (outcome === 'busy') result.remaining.push(partition)
    if (outcome !== 'replaced') return
    result.replaced.push(partition.suffix)
    result.thinned.push(partition)
  }

  /** After an error, or if another process is changing partitions, further calls return `elsewhere`. */
  async function replace(replacement: Replacement): Promise<ReplacementResult> {
    if (isStopped) return 'elsewhere'
    try {
      const outcome = await replacePartitions(database, replacement)
      isStopped = outcome === 'elsewhere'
      return outcome
    } catch (error) {
      result.error = error
      isStopped = true
      return 'elsewhere'
    }
  }
}

/**
 * Whether a partition is so wide that its oldest tasks would stay much too long if they were removed with the
 * whole partition. Such partitions are made after a long time without a worker, or if the clock of a process
 * was ahead.
 */
function isWide({ fromMs, toMs }: Partition, { keptMs }: RetentionPolicy, sinceMs: number): boolean {
  if (fromMs === null || fromMs > sinceMs) return false
  return toMs === null || toMs - fromMs > Math.max(2 * widthFor(keptMs), (keptMs ?? 0) / 2)
}

// A partition with fewer tasks is not compacted, because that would free only about 4 MB.
const MIN_COMPACTED = 10_000
// Partitions are not compacted if successful tasks are kept for less than this time: a partition would be
// copied once more soon afterwards, to remove them.
const MIN_KEPT_MS = 3 * 86_400_000

/**
 * Compacts the oldest partition that was not compacted yet, whose range ended at least `LATE_MS` ago, and
 * that has at least `MIN_COMPACTED` tasks: copies them to full pages in the order of their ids. Before, more
 * than half of each page is kept free for updates, and the indexes contain entries of old row versions.
 * @returns undefined if there is no such partition, or if successful tasks are kept for less than
 *   `MIN_KEPT_MS`
 * @throws the error of Postgres if the tables stay in use (`isLockTimeout`)
 */
export async function compactOldest(
  database: Database,
  policy: RetentionPolicy,
): Promise<ReplacementResult | undefined> {
  if ((successMsOf(policy) ?? Number.POSITIVE_INFINITY) < MIN_KEPT_MS) return undefined
  const { partitions, nowMs } = await readPartitions(database)
  const found = partitions.find(
    (partition) => isOver(partition, nowMs) && partition.comment === null && partition.tasks >= MIN_COMPACTED,
  )
  return found && replacePartitions(database, { partitions: [found], comment: COMPACT })
}

async function readPartitions(database: Database) {
  const partitions = await listPartitions(database.maintenance)
  const [clock] = await database.maintenance.query<{ nowMs: number }>(
    sql`select extract(epoch from now())::float8 * 1000 as "nowMs"`,
  )
  return { partitions, nowMs: clock?.nowMs ?? 0 }
}

/**
 * Whether at most half of the tasks are failed or cancelled ones, which would have to be copied. Otherwise it
 * is cheaper to delete the successful ones.
 */
async function isWorthwhile(database: Database, { suffix, tasks }: Partition): Promise<boolean> {
  if (tasks < 0) return true
  const limit = Math.ceil(tasks / 2) + 1
  const [kept] = await database.maintenance.query<{ count: number }>(sql`
    select count(*)::int as count from (
      select from ${tableName(TASKS, suffix)} where ${IS_UNSUCCESSFUL} limit ${limit}
    ) as found`)
  return (kept?.count ?? 0) < limit
}
