// Partitions that are made ahead of time.
import { afterEach, describe, expect, test } from 'vitest'
import { newId } from '../../../src/base/uuidv7.ts'
import { type Database, openDatabase } from '../../../src/store/database.ts'
import { sql } from '../../../src/store/drizzle.ts'
import { extendPartitions } from '../../../src/store/partitions/extend.ts'
import { listPartitions } from '../../../src/store/partitions/tables.ts'
import { until } from '../../support/system.ts'
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

/** Submits 2,100 tasks with ids from `ms` on: more than are moved to new partitions (`MAX_MOVED`). */
async function submitManyAt(ms: number) {
  await database.query(sql`
    insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, run_at, created_at)
    select (lpad(to_hex(${ms}::bigint + n), 12, '0') || '70008000000000000000')::uuid, 'reverse', 'default', 'PENDING', '{}',
           0, 1000, now(), now()
    from generate_series(1, 2100) as n`)
}

/** Counts the constraints with which an extension prepares a partition. */
async function constraints(): Promise<number> {
  const rows = await database.query(sql`select from pg_constraint where conname = 'partition_range'`)
  return rows.length
}

/** Returns the lower bounds of all partitions in days from today; null for the oldest one. */
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

describe('few tasks in the newest partition', () => {
  test('move to the new ones: of the time before the first worker, and of clocks that are ahead', async () => {
    await openUndivided()
    const ids = [
      await submitAt(TODAY_MS - 25 * DAY_MS),
      await submitAt(Date.now()),
      await submitAt(TODAY_MS + 4_000 * DAY_MS),
    ]
    await extendPartitions(database, 30 * DAY_MS)
    expect(await bounds()).toEqual([null, 0, 1, 2, 3, 4, 5, 6, 7, 8])
    const day = new Date(TODAY_MS).toISOString().slice(0, 10).replaceAll('-', '_')
    expect(await Promise.all(ids.map(partitionOf))).toEqual(
      ['past', day, 'future'].map((suffix) => `tasks_${suffix} attempts_${suffix} task_logs_${suffix}`),
    )
    await extendAt(TODAY_MS + DAY_MS)
    expect(await bounds()).toEqual([null, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(await partitionOf(ids[2] as string)).toBe('tasks_future attempts_future task_logs_future')
  })
})

describe('many tasks in the newest partition', () => {
  test('after a month without a worker: it gets a bound above them', async () => {
    await openUndivided()
    await extendPartitions(database, 30 * DAY_MS)
    const first = await submitAt(TODAY_MS + 8 * DAY_MS)
    await submitManyAt(TODAY_MS + 20 * DAY_MS)
    const last = await submitAt(TODAY_MS + 37.5 * DAY_MS)
    await extendAt(TODAY_MS + 38.5 * DAY_MS)
    expect(await bounds()).toEqual([null, 0, 1, 2, 3, 4, 5, 6, 7, 8, 46])
    expect(await partitionOf(first)).toBe(await partitionOf(last))
    expect(await constraints()).toBe(0)
    await extendAt(TODAY_MS + 39.5 * DAY_MS)
    expect((await bounds()).at(-1)).toBe(47)
  })

  test('a constraint that a killed process has left is dropped, and refuses nothing', async () => {
    await openUndivided()
    await extendPartitions(database, 30 * DAY_MS)
    const [bound] = [newId(TODAY_MS + 9 * DAY_MS)]
    await database.query(
      sql.raw(`alter table tasks_future add constraint partition_range check (id < '${bound}') not valid`),
    )
    await extendPartitions(database, 30 * DAY_MS)
    expect(await constraints()).toBe(0)
    await submitAt(TODAY_MS + 20 * DAY_MS)
  })

  test('it is not divided if another process has dropped its constraint meanwhile', async (context) => {
    await openUndivided()
    if (!testDatabase.isServer) return context.skip('needs several connections')
    await submitManyAt(TODAY_MS)
    let extension: Promise<string[]> | undefined
    await database.use((drizzle) =>
      drizzle.transaction(async (transaction) => {
        // The extension waits for this lock after it has added its constraints.
        await transaction.execute(sql`lock table only tasks in access share mode`)
        extension = extendPartitions(database, 30 * DAY_MS, { lockMs: 20, pauseMs: 10, tries: 1_000 })
        await until(constraints, (count) => count === 3)
        await database.query(sql`alter table attempts_future drop constraint partition_range`)
      }),
    )
    expect(await extension).toEqual([])
    expect(await bounds()).toEqual([null])
    expect(await constraints()).toBe(0)
    expect(await extendPartitions(database, 30 * DAY_MS)).not.toEqual([])
  })

  test('several processes divide it once, and leave no constraint', async () => {
    await openUndivided()
    await submitManyAt(TODAY_MS)
    await Promise.all(Array.from({ length: 5 }, () => extendPartitions(database, 30 * DAY_MS)))
    await extendPartitions(database, 30 * DAY_MS)
    expect(await bounds()).toEqual([null, 8])
    expect(await constraints()).toBe(0)
    expect(await database.query(sql`select from tasks`)).toHaveLength(2_100)
  })
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

/** Extends the partitions as if this were the time of the clock of Postgres (ms since 1970). */
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
