// Creates databases with finished or waiting tasks. Postgres generates the rows, over several connections and
// with `synchronous_commit=off`. All rows are in the write-ahead log as usual.
import pg from 'pg'
import { type Database, openDatabase } from '../../src/store/database.ts'
import { COMPACT } from '../../src/store/partitions/expire.ts'
import { extendPartitions } from '../../src/store/partitions/extend.ts'
import { listPartitions, type Partition } from '../../src/store/partitions/tables.ts'
import { makePastPartitions } from '../../tests/support/past-partitions.ts'
import { FAILED_EVERY, finishedTasks, ID } from '../dashboard/seed.ts'
import type { Store } from '../stores.ts'

const DAY_MS = 86_400_000
/** Retention time for which new partitions have a width of a day. It is the default of `RETENTION_DAYS`. */
export const KEPT_MS = 30 * DAY_MS

/** Creates the tables with daily partitions for the last `days` days, and opens the database. */
export async function createLedger({ databaseUrl }: Store, days: number): Promise<Database> {
  const database = await openDatabase(databaseUrl)
  await database.migrate()
  await extendPartitions(database, KEPT_MS)
  await makePastPartitions(database, days, { isClosed: true })
  return database
}

/** Returns the daily partitions before the current day, oldest first. */
export async function pastPartitions(database: Database): Promise<Partition[]> {
  const partitions = await listPartitions(database)
  const nowMs = Date.now()
  return partitions.filter(({ fromMs, toMs }) => fromMs !== null && toMs !== null && toMs <= nowMs)
}

/** Finished tasks that were submitted from `fromMs` to `toMs`, at regular intervals. */
export interface FinishedSeed {
  table: string
  fromMs: number
  toMs: number
  tasks: number
  /** Every n-th task has failed; n is 20 by default. */
  failedEvery?: number
}

/** Returns the seed of a partition. */
export function seedOf(
  { suffix, fromMs, toMs }: Partition,
  tasks: number,
  failedEvery?: number,
): FinishedSeed {
  return { table: `tasks_${suffix}`, fromMs: fromMs ?? 0, toMs: toMs ?? 0, tasks, failedEvery }
}

const BATCH = 100_000
const CONNECTIONS = 4

/** Inserts finished tasks, vacuums them, and ends with a checkpoint. */
export async function seedFinished(
  { databaseUrl }: Store,
  seeds: FinishedSeed[],
  log: (line: string) => void,
): Promise<void> {
  const total = seeds.reduce((sum, { tasks }) => sum + tasks, 0)
  log(`Inserting ${total} finished tasks`)
  await inParallel(databaseUrl, seeds.flatMap(batchesOf), (client, { seed, first, last }) => {
    const stepMs = (seed.toMs - seed.fromMs) / seed.tasks
    const values = [first, last, seed.fromMs, stepMs, seed.failedEvery ?? FAILED_EVERY]
    return client.query(finishedTasks(seed.table), values)
  })
  await inParallel(databaseUrl, [...new Set(seeds.map(({ table }) => table))], async (client, table) => {
    await client.query(`vacuum (freeze, analyze) ${table}`)
    // This comment marks the partition as compacted, so that no worker compacts it during the measurement.
    if (table !== 'tasks') await client.query(`comment on table ${table} is '${COMPACT}'`)
  })
  await inParallel(databaseUrl, ['checkpoint'], (client, statement) => client.query(statement))
}

function batchesOf(seed: FinishedSeed) {
  const count = Math.ceil(seed.tasks / BATCH)
  return Array.from({ length: count }, (_, index) => ({
    seed,
    first: index * BATCH,
    last: Math.min(seed.tasks, (index + 1) * BATCH) - 1,
  }))
}

/** Waiting tasks that were submitted within the last two hours and are not enqueued. */
export interface WaitingSeed {
  queue: string
  tasks: number
  /** Time from the submission to the earliest start, in milliseconds. */
  delayMs: number
}

/** Inserts waiting tasks, vacuums them, and ends with a checkpoint. */
export async function seedWaiting(
  { databaseUrl }: Store,
  { queue, tasks, delayMs }: WaitingSeed,
  log: (line: string) => void,
): Promise<void> {
  log(`Inserting ${tasks} waiting tasks`)
  const [spanMs, endMs] = [2 * 3_600_000, Date.now() - 60_000]
  const seed = { table: 'tasks', fromMs: endMs - spanMs, toMs: endMs, tasks }
  await inParallel(databaseUrl, batchesOf(seed), (client, { first, last }) =>
    client.query(WAITING_TASKS, [first, last, seed.fromMs, spanMs / tasks, queue, delayMs]),
  )
  for (const statement of ['vacuum (freeze, analyze) tasks', 'checkpoint'])
    await inParallel(databaseUrl, [statement], (client, text) => client.query(text))
}

const WAITING_TASKS = `
  insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, run_at, created_at)
  select ${ID}, 'reverse', $5::text, 'PENDING', '{"text":"A bee that has found something"}', 3, 60000,
         created + $6::float8 * interval '1 ms', created
  from (
    select n, to_timestamp(($3::float8 + n * $4::float8) / 1000) as created from generate_series($1::int, $2::int) as n
  ) as made`

/** Calls `work` for each item, over several connections. */
async function inParallel<Item>(
  databaseUrl: string,
  items: Item[],
  work: (client: pg.Client, item: Item) => Promise<unknown>,
): Promise<void> {
  const left = items.values()
  const workOnItems = async () => {
    const client = new pg.Client({ connectionString: databaseUrl, options: '-c synchronous_commit=off' })
    await client.connect()
    try {
      for (const item of left) await work(client, item)
    } finally {
      await client.end()
    }
  }
  await Promise.all(Array.from({ length: Math.min(CONNECTIONS, items.length) }, workOnItems))
}
