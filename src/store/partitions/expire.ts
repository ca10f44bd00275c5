// Retention of whole partitions: removes old tasks by replacing the partitions in which they are.

import type { Database } from '../database.ts'
import { sql } from '../drizzle.ts'
import { type RetentionPolicy, successMsOf } from '../retention-policy.ts'
import { IS_UNSUCCESSFUL } from '../schema.ts'
import { LATE_MS, widthFor } from './bounds.ts'
import { type Replacement, type ReplacementResult, replacePartitions } from './replace.ts'
import { listPartitions, type Partition, TASKS, tableName } from './tables.ts'

/** What `expirePartitions` has done. */
export interface ExpiryResult {
  /** Suffixes of the partitions that were replaced, each with the oldest or by itself. */
  replaced: string[]
  /** Partitions that could not be replaced although tasks in them are too old: their rows must be deleted. */
  remaining: Partition[]
  /** Why no further partition was replaced, e.g. because the tables stay in use (`isLockTimeout`). */
  error?: unknown
}

// Comments that Postgres stores with partitions that were replaced by themselves. They tell what the replacement has
// removed: nothing, the old successful tasks, or all old tasks.
export const COMPACT = 'waggle: compact'
const WITHOUT_SUCCESSES = 'waggle: without old successful tasks'
const WITHOUT_OLD = 'waggle: without old tasks'

/**
 * Removes what is too old from all partitions that have been over for `LATE_MS` longer than tasks are kept. A
 * partition in which every task is too old joins the oldest partition, which so moves on. One in which only the
 * successful tasks are too old is replaced by a smaller one.
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
      // Younger partitions can no longer join the oldest, because ranges have no gaps.
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

  /** After an error, or while another process changes partitions, replaces nothing more. */
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
 * Whether a partition is so wide that its oldest tasks cannot wait for its end. It is if no worker has run for long,
 * or a clock was ahead.
 */
function isWide({ fromMs, toMs }: Partition, { keptMs }: RetentionPolicy, sinceMs: number): boolean {
  if (fromMs === null || fromMs > sinceMs) return false
  return toMs === null || toMs - fromMs > Math.max(2 * widthFor(keptMs), (keptMs ?? 0) / 2)
}

// A partition with fewer tasks needs so little space that it is not made compact.
const MIN_COMPACTED = 10_000
// A partition is not made compact if successful tasks are removed from it within this time after its end.
const MIN_KEPT_MS = 3 * 86_400_000

/**
 * Makes a partition compact whose time is over: copies its tasks to full pages in the order of their ids. While
 * tasks are submitted, claimed and finished, half of each page has to be free, and the indexes contain entries of
 * old row versions. Does this for the oldest partition for which it has not been done.
 * @returns undefined if there is none
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

/** Whether a task of this partition that ends at `sinceMs` or later is in the index `tasks_late`. */
function isOver({ toMs }: Partition, sinceMs: number): boolean {
  return toMs !== null && toMs + LATE_MS <= sinceMs
}

/** Whether less than half of the tasks have to be copied: otherwise it is cheaper to delete the others. */
async function isWorthwhile(database: Database, { suffix, tasks }: Partition): Promise<boolean> {
  if (tasks < 0) return true
  const limit = Math.ceil(tasks / 2) + 1
  const [kept] = await database.maintenance.query<{ count: number }>(sql`
    select count(*)::int as count from (
      select from ${tableName(TASKS, suffix)} where ${IS_UNSUCCESSFUL} limit ${limit}
    ) as found`)
  return (kept?.count ?? 0) < limit
}
