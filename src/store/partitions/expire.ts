// Retention of whole partitions: removes old tasks by replacing the partitions that contain them.

import type { Database } from '../database.ts'
import { sql } from '../drizzle.ts'
import { type RetentionPolicy, successMsOf } from '../retention-policy.ts'
import { IS_UNSUCCESSFUL } from '../schema.ts'
import { LATE_MS, widthFor } from './bounds.ts'
import { type Replacement, type ReplacementResult, replacePartitions } from './replace.ts'
import { listPartitions, type Partition, TASKS, tableName } from './tables.ts'

/** Result of `expirePartitions`. */
export interface ExpiryResult {
  /** Suffixes of the replaced partitions: those that joined the oldest one, and those replaced alone. */
  replaced: string[]
  /** Partitions with old tasks that could not be replaced. The caller deletes these tasks row by row. */
  remaining: Partition[]
  /** Error that ended the replacements, e.g. because the tables stay in use (`isLockTimeout`). */
  error?: unknown
}

// Comments (`comment on table`) of partitions that were replaced alone. They tell what the replacement has
// removed: nothing, the old successful tasks, or all old tasks. A partition is not replaced again for the
// same purpose.
export const COMPACT = 'waggle: compact'
const WITHOUT_SUCCESSES = 'waggle: without old successful tasks'
const WITHOUT_OLD = 'waggle: without old tasks'

/**
 * Removes old tasks from all partitions whose range ended longer ago than tasks are kept plus `LATE_MS`. All
 * of their tasks are too old then, except unfinished ones and those that ended late. Such a partition joins
 * the oldest one: both are replaced by a new oldest partition with the tasks that have to be kept. If only
 * the successful tasks are too old, the partition is replaced by a smaller one with the same range.
 */
export async function expirePartitions(database: Database, policy: RetentionPolicy): Promise<ExpiryResult> {
  const { partitions, nowMs } = await readPartitions(database)
  const keptSince = {
    successMs: nowMs - (successMsOf(policy) ?? nowMs),
    otherMs: nowMs - (policy.keptMs ?? nowMs),
  }
  const result: ExpiryResult = { replaced: [], remaining: [] }
  let isStopped = false
  let [oldest] = partitions
  for (const partition of partitions.slice(1)) {
    const isExpired = isOver(partition, keptSince.otherMs)
    if (!isExpired && !isOver(partition, keptSince.successMs)) {
      if (isWide(partition, policy, keptSince.successMs)) result.remaining.push(partition)
      continue
    }
    const comment = isExpired ? WITHOUT_OLD : WITHOUT_SUCCESSES
    const joined = isExpired && oldest !== undefined ? [oldest, partition] : undefined
    if (joined) {
      const outcome = await replace({ partitions: joined, keptSince })
      if (outcome === 'replaced') {
        result.replaced.push(partition.suffix)
        oldest = { ...partition, fromMs: null, suffix: 'past', comment: null }
        continue
      }
      // This partition stays, so younger ones can no longer join the oldest: joined ranges must be adjacent.
      oldest = undefined
    }
    if (partition.comment === comment || partition.comment === WITHOUT_OLD) continue
    const outcome = (await isWorthwhile(database, partition))
      ? await replace({ partitions: [partition], keptSince, comment })
      : 'busy'
    if (outcome === 'replaced') result.replaced.push(partition.suffix)
    else if (outcome === 'busy') result.remaining.push(partition)
  }
  return result

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
 * Whether the range of the partition ended at least `LATE_MS` before `sinceMs`. If so, each of its tasks that
 * ended at `sinceMs` or later is in the index `tasks_late`.
 */
function isOver({ toMs }: Partition, sinceMs: number): boolean {
  return toMs !== null && toMs + LATE_MS <= sinceMs
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
