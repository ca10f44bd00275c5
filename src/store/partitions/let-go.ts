// Retention of whole partitions: removes old tasks by replacing the partitions in which they are.
import { sql } from '../drizzle.ts'
import type { Queries } from '../lanes.ts'
import { type RetentionPolicy, successMsOf } from '../retention-policy.ts'
import { LATE_MS } from './bounds.ts'
import { replacePartitions } from './replace.ts'
import { listPartitions, type Partition, type PartitionedTable, TABLES, tableName } from './tables.ts'

/** What `letGo` has done. */
export interface LetGoResult {
  /** Suffixes of the partitions that were replaced, each with the oldest or by itself. */
  replaced: string[]
  /** Partitions that could not be replaced although tasks in them are too old: their rows must be deleted. */
  remaining: Partition[]
}

// Comments of partitions that were replaced by themselves: successful tasks are gone, or all that had to go.
const WITHOUT_SUCCESSES = 'waggle: without old successful tasks'
const WITHOUT_OLD = 'waggle: without old tasks'

/**
 * Removes what is too old from all partitions that have been over for `LATE_MS` longer than tasks are kept. A
 * partition in which every task is too old joins the oldest partition, which so moves on. One in which only the
 * successful tasks are too old is replaced by a smaller one.
 * @throws the error of Postgres if the tables stay in use (`isLockTimeout`)
 */
export async function letGo(queries: Queries, policy: RetentionPolicy): Promise<LetGoResult> {
  const partitions = await listPartitions(queries)
  const [clock] = await queries.query<{ nowMs: number }>(
    sql`select extract(epoch from now())::float8 * 1000 as "nowMs"`,
  )
  const nowMs = clock?.nowMs ?? 0
  const keptSince = {
    successMs: nowMs - (successMsOf(policy) ?? nowMs),
    otherMs: nowMs - (policy.keptMs ?? nowMs),
  }
  const result: LetGoResult = { replaced: [], remaining: [] }
  const isOver = ({ toMs }: Partition, sinceMs: number) => toMs !== null && toMs + LATE_MS <= sinceMs
  let [oldest] = partitions
  for (const partition of partitions.slice(1)) {
    const isExpired = isOver(partition, keptSince.otherMs)
    if (!isExpired && !isOver(partition, keptSince.successMs)) break
    const comment = isExpired ? WITHOUT_OLD : WITHOUT_SUCCESSES
    const joined = isExpired && oldest !== undefined ? [oldest, partition] : undefined
    if (joined) {
      const outcome = await replacePartitions(queries, { partitions: joined, keptSince })
      if (outcome === 'elsewhere') return result
      if (outcome === 'replaced') {
        result.replaced.push(partition.suffix)
        oldest = { ...partition, fromMs: null, suffix: 'past' }
        continue
      }
      // Younger partitions can no longer join the oldest, because ranges have no gaps.
      oldest = undefined
    }
    if (partition.comment === comment || partition.comment === WITHOUT_OLD) continue
    const outcome = (await isWorthwhile(queries, partition))
      ? await replacePartitions(queries, { partitions: [partition], keptSince, comment })
      : 'busy'
    if (outcome === 'elsewhere') return result
    if (outcome === 'replaced') result.replaced.push(partition.suffix)
    else result.remaining.push(partition)
  }
  return result
}

/** Whether less than half of the tasks have to be copied: otherwise it is cheaper to delete the others. */
async function isWorthwhile(queries: Queries, { suffix, tasks }: Partition): Promise<boolean> {
  if (tasks < 0) return true
  const limit = Math.ceil(tasks / 2) + 1
  const [kept] = await queries.query<{ count: number }>(sql`
    select count(*)::int as count from (
      select from ${tableName(TABLES[0] as PartitionedTable, suffix)}
      where finished_at is not null and (error is not null or cancel_requested_at is not null) limit ${limit}
    ) as found`)
  return (kept?.count ?? 0) < limit
}
