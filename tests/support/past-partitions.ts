// Makes partitions for days in the past, for tests and benchmarks. Workers make partitions only ahead of
// time.
import type { Database } from '../../src/store/database.ts'
import { sql } from '../../src/store/drizzle.ts'
import { suffixOf } from '../../src/store/partitions/bounds.ts'
import {
  attach,
  createDetached,
  listPartitions,
  TABLES,
  tableName,
} from '../../src/store/partitions/tables.ts'
import { changePartitions } from '../../src/store/partitions/transaction.ts'

const DAY_MS = 86_400_000

/**
 * Divides the oldest partition, which must be empty, into `days` daily ones and a new oldest one.
 * @param options.isClosed whether the daily ones have the storage settings of partitions that were replaced
 */
export async function makePastPartitions(
  database: Database,
  days: number,
  { isClosed = false } = {},
): Promise<void> {
  const [oldest] = await listPartitions(database)
  const toMs = oldest?.toMs
  if (toMs === undefined || toMs === null) throw new Error('The oldest partition has no upper bound')
  const ranges = Array.from({ length: days }, (_, index) => {
    const fromMs = toMs - (days - index) * DAY_MS
    return { fromMs, toMs: fromMs + DAY_MS }
  })
  await changePartitions(database, async (transaction) => {
    for (const table of TABLES) {
      await transaction.query(sql`drop table ${tableName(table, 'past')}`)
      for (const range of [{ fromMs: null, toMs: ranges[0]?.fromMs ?? toMs }, ...ranges]) {
        await createDetached(transaction, table, suffixOf(range), { isClosed })
        await attach(transaction, table, range)
      }
    }
  })
}

/**
 * Divides the partition of the current day, which must be empty, at a time in ms since 1970. Does nothing if
 * the time is not before the end of that partition.
 * @returns the time from which on tasks are in a later partition: `atMs`, or the end of the partition
 */
export async function divideToday(database: Database, atMs: number): Promise<number> {
  const nowMs = Date.now()
  const today = (await listPartitions(database)).find(({ toMs }) => toMs !== null && toMs > nowMs)
  if (today?.toMs == null) throw new Error('There is no partition for the current day')
  const { fromMs, toMs, suffix } = today
  if (atMs >= toMs) return toMs
  await changePartitions(database, async (transaction) => {
    for (const table of TABLES) {
      await transaction.query(sql`drop table ${tableName(table, suffix)}`)
      for (const range of [
        { fromMs, toMs: atMs },
        { fromMs: atMs, toMs },
      ]) {
        const part = `${suffix}_${range.fromMs === atMs ? 'second' : 'first'}`
        await createDetached(transaction, table, part)
        await attach(transaction, table, range, part)
      }
    }
  })
  return atMs
}
