// Partitions that are made ahead of time.
import { afterEach, expect, test } from 'vitest'
import { newId } from '../../../src/base/uuidv7.ts'
import { type Database, openDatabase } from '../../../src/store/database.ts'
import { sql } from '../../../src/store/drizzle.ts'
import { extendPartitions } from '../../../src/store/partitions/extend.ts'
import { listPartitions } from '../../../src/store/partitions/tables.ts'
import { createTestDatabase, type TestDatabase } from '../../support/test-database.ts'

const DAY_MS = 86_400_000
const TODAY_MS = Math.floor(Date.now() / DAY_MS) * DAY_MS

let testDatabase: TestDatabase
let database: Database

/** Opens a database whose tables have one partition each, as the initial migration creates them. */
async function openUndivided() {
  testDatabase = await createTestDatabase({ isEmpty: true })
  database = await openDatabase(testDatabase.url)
  await database.migrate()
}

afterEach(async () => {
  await database.close()
  await testDatabase.drop()
})

async function submitAt(ms: number): Promise<string> {
  const id = newId(ms)
  const at = sql`to_timestamp(${ms / 1_000}::float8)`
  await database.query(sql`
    insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, run_at, created_at)
    values (${id}, 'reverse', 'default', 'PENDING', '{}', 0, 1000, ${at}, ${at})`)
  await database.query(sql`insert into attempts (task_id, attempt, error) values (${id}, 1, '{}')`)
  await database.query(
    sql`insert into task_logs (task_id, attempt, at, message) values (${id}, 1, now(), 'x')`,
  )
  return id
}

/** Lower bounds in days from today; null for the oldest. */
async function bounds() {
  const partitions = await listPartitions(database)
  return partitions.map(({ fromMs }) => (fromMs === null ? null : (fromMs - TODAY_MS) / DAY_MS))
}

async function partitionOf(id: string) {
  const rows = await database.query<{ tables: string }>(sql`
    select (select tableoid::regclass::text from tasks where id = ${id}) || ' '
        || (select tableoid::regclass::text from attempts where task_id = ${id}) || ' '
        || (select tableoid::regclass::text from task_logs where task_id = ${id}) as tables`)
  return rows[0]?.tables
}

test('a new database has a partition for each of the next days', async () => {
  await openUndivided()
  expect(await bounds()).toEqual([null])
  const added = await extendPartitions(database, 30 * DAY_MS)
  expect(added).toHaveLength(10)
  expect(await bounds()).toEqual([null, 0, 1, 2, 3, 4, 5, 6, 7, 8])
  expect(await extendPartitions(database, 30 * DAY_MS)).toEqual([])
  const id = await submitAt(Date.now())
  const day = new Date(TODAY_MS).toISOString().slice(0, 10).replaceAll('-', '_')
  expect(await partitionOf(id)).toBe(`tasks_${day} attempts_${day} task_logs_${day}`)
})

test('every id has a partition: of the past, and of clocks that are years ahead', async () => {
  await openUndivided()
  await extendPartitions(database, 30 * DAY_MS)
  expect(await partitionOf(await submitAt(TODAY_MS - 4_000 * DAY_MS))).toBe(
    'tasks_past attempts_past task_logs_past',
  )
  expect(await partitionOf(await submitAt(TODAY_MS + 4_000 * DAY_MS))).toBe(
    'tasks_future attempts_future task_logs_future',
  )
})

test('tasks that were submitted before the table was divided, or while no worker ran, are kept', async () => {
  await openUndivided()
  const ids = [await submitAt(TODAY_MS - 25 * DAY_MS), await submitAt(Date.now())]
  await extendPartitions(database, 30 * DAY_MS)
  expect(await bounds()).toEqual([null, 8])
  for (const id of ids) expect(await partitionOf(id)).toBe('tasks_past attempts_past task_logs_past')
  const [constraints] = await database.query<{ count: number }>(
    sql`select count(*)::int as count from pg_constraint where conname = 'ledger_bound'`,
  )
  expect(constraints?.count).toBe(0)
})

test('after a month without a worker, the next partitions are made above what was submitted meanwhile', async () => {
  await openUndivided()
  await extendPartitions(database, 30 * DAY_MS)
  // What a worker had made until 30 days ago.
  await database.query(sql`drop table tasks_future, attempts_future, task_logs_future`)
  const month = [await submitAt(TODAY_MS + 3 * DAY_MS)]
  for (const table of ['tasks', 'attempts', 'task_logs'])
    await database.query(
      sql`${sql.raw(`create table ${table}_future partition of ${table} for values from ('${newId(TODAY_MS + 8 * DAY_MS).slice(0, 13)}-0000-0000-000000000000') to (maxvalue)`)}`,
    )
  month.push(await submitAt(TODAY_MS + 8 * DAY_MS), await submitAt(TODAY_MS + 37.5 * DAY_MS))
  await extendAt(TODAY_MS + 38.5 * DAY_MS)
  expect(await bounds()).toEqual([null, 0, 1, 2, 3, 4, 5, 6, 7, 8, 46])
  const rows = await database.query(sql`select from tasks`)
  expect(rows).toHaveLength(3)
  await extendAt(TODAY_MS + 39.5 * DAY_MS)
  expect((await bounds()).at(-1)).toBe(47)
})

test('a change of the retention changes only partitions that are made later', async () => {
  await openUndivided()
  await extendPartitions(database, 30 * DAY_MS)
  await extendAt(TODAY_MS + 2 * DAY_MS, 365 * DAY_MS)
  const [last, before] = (await bounds()).toReversed()
  expect(before).toBe(8)
  expect((TODAY_MS + (last ?? 0) * DAY_MS) % (14 * DAY_MS)).toBe(0)
  await extendAt(TODAY_MS + 20 * DAY_MS, DAY_MS)
  expect((await bounds()).length).toBeGreaterThan(15)
})

test('several processes can do it at the same time', async () => {
  await openUndivided()
  const results = await Promise.all(Array.from({ length: 5 }, () => extendPartitions(database, 30 * DAY_MS)))
  expect(results.filter(({ length }) => length > 0)).toHaveLength(1)
  expect(await bounds()).toHaveLength(10)
})

test('while a transaction uses a table, nothing is divided, and later statements wait only shortly', async (context) => {
  if (!testDatabase.isServer) return context.skip('needs several connections')
  await openUndivided()
  await database.use((drizzle) =>
    drizzle.transaction(async (transaction) => {
      await transaction.execute(sql`select from tasks`)
      const limits = { lockMs: 20, pauseMs: 1, tries: 3 }
      await expect(extendPartitions(database, 30 * DAY_MS, limits)).rejects.toThrow()
      await submitAt(Date.now())
    }),
  )
  const [left] = await database.query<{ count: number }>(
    sql`select count(*)::int as count from pg_class where relname like '%\\_next'`,
  )
  expect(left?.count).toBe(0)
  expect(await extendPartitions(database, 30 * DAY_MS)).not.toEqual([])
})

/** Extends as if the clock of Postgres had this time. */
async function extendAt(ms: number, keptMs = 30 * DAY_MS) {
  await extendPartitions(shiftedClock(ms), keptMs)
}

function shiftedClock(ms: number): Database {
  return {
    ...database,
    query: async (statement) => {
      const rows = await database.query<object>(statement)
      return rows.map((row) => ('nowMs' in row ? { ...row, nowMs: ms } : row)) as never
    },
  }
}
