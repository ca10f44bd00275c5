// The count of waiting and running tasks by queue.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Database, openDatabase } from '../../src/store/database.ts'
import { sql } from '../../src/store/drizzle.ts'
import { countQueues } from '../../src/store/queue-counts.ts'
import { createQueueStore } from '../../src/store/queue-store.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

let files: TestDatabase
let database: Database
beforeEach(async () => {
  files = await createTestDatabase()
  database = await openDatabase(files.url)
  await database.migrate()
})
afterEach(async () => {
  await database.close()
  await files.drop()
})

const insert = (queue: string, status: string, count: number) =>
  database.query(sql`
    insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, run_at, created_at)
    select gen_random_uuid(), 'reverse', ${queue}, ${status}, '{}', 0, 1000, now() - interval '1 hour', now()
    from generate_series(1, ${count}::int)`)

/** Makes the next count due, as if the last one had ended long ago. */
const makeDue = () =>
  database.query(sql`update queue_counts set progressed_at = progressed_at - interval '1 hour'`)

const summaries = async () => (await createQueueStore(database).summarize()).queues

test('tasks are counted by queue and status in several parts, each of at most 10,000 tasks', async () => {
  await insert('a', 'PENDING', 7_000)
  await insert('b', 'RETRY', 3_000)
  await insert('b', 'STARTED', 2_000)
  const reads: number[] = []
  const { query } = database.maintenance
  database.maintenance.query = async (...given) => {
    const rows = await query<{ read?: number }>(...given)
    if (rows[0]?.read !== undefined) reads.push(rows[0].read)
    return rows as never
  }
  const none = { waiting: 0, retrying: 0, running: 0, held: 0 }
  expect(await countQueues(database)).toBe(true)
  expect(reads).toEqual([10_000, 2_000])
  expect(await summaries()).toEqual([
    { ...none, name: 'a', waiting: 7_000, oldestWaitingMs: expect.any(Number), pausedAt: null, limits: null },
    {
      name: 'b',
      waiting: 3_000,
      retrying: 3_000,
      running: 2_000,
      held: 0,
      oldestWaitingMs: expect.any(Number),
      pausedAt: null,
      limits: null,
    },
  ])
  expect((await summaries())[0]?.oldestWaitingMs).toBeCloseTo(3_600_000, -6)
})

test('of several processes that find a count due, one counts', async () => {
  await insert('a', 'PENDING', 1)
  const counted = await Promise.all(Array.from({ length: 5 }, () => countQueues(database)))
  expect(counted.filter(Boolean)).toHaveLength(1)
  expect(await countQueues(database)).toBe(false)
  await makeDue()
  expect(await countQueues(database)).toBe(true)
})

test('after a long count, the next one waits for twenty times its duration', async () => {
  await countQueues(database)
  const endedAgo = (seconds: number) =>
    database.query(
      sql`update queue_counts set took_ms = 10000, progressed_at = now() - ${seconds}::float8 * interval '1 s'`,
    )
  await endedAgo(190)
  expect(await countQueues(database)).toBe(false)
  await endedAgo(201)
  expect(await countQueues(database)).toBe(true)
})

test('after the clock of Postgres was set back, counts do not wait for the old time', async () => {
  await countQueues(database)
  await database.query(sql`update queue_counts set progressed_at = now() + interval '1 day'`)
  expect(await countQueues(database)).toBe(true)
})

test('a queue that was emptied is not listed after the next count, and a paused one is always', async () => {
  await insert('a', 'PENDING', 2)
  expect(await summaries()).toMatchObject([{ name: 'a', waiting: 2 }])
  await database.query(sql`update tasks set status = 'SUCCESS', finished_at = now()`)
  await createQueueStore(database).pause('b')
  await makeDue()
  expect(await countQueues(database)).toBe(true)
  expect(await summaries()).toMatchObject([
    { name: 'b', waiting: 0, oldestWaitingMs: null, pausedAt: expect.any(Date) },
  ])
})

test('while another process counts, the last result is returned', async () => {
  await insert('a', 'PENDING', 2)
  await summaries()
  await insert('a', 'PENDING', 5)
  await database.query(sql`update queue_counts set counting = gen_random_uuid(), progressed_at = now()`)
  const before = await createQueueStore(database).summarize()
  expect(before.queues).toMatchObject([{ name: 'a', waiting: 2 }])
  // The other process has died: it does not report progress.
  await makeDue()
  expect(await countQueues(database)).toBe(true)
  const after = await createQueueStore(database).summarize()
  expect(after.queues).toMatchObject([{ name: 'a', waiting: 7 }])
  expect(after.countedAt.getTime()).toBeGreaterThan(before.countedAt.getTime())
})

test('a count that another process has replaced writes nothing', async () => {
  await insert('a', 'PENDING', 2)
  const { query } = database.maintenance
  database.maintenance.query = async (...given) => {
    const rows = await query<{ read?: number }>(...given)
    if (rows[0]?.read !== undefined) await query(sql`update queue_counts set counting = gen_random_uuid()`)
    return rows as never
  }
  await countQueues(database)
  const [row] = await query<{ countedAt: string | null }>(
    sql`select counted_at as "countedAt" from queue_counts`,
  )
  expect(row?.countedAt).toBeNull()
})

test('a count that fails does not delay the next one', async () => {
  const { query } = database.maintenance
  let failures = 1
  database.maintenance.query = async (...given) => {
    const rows = await query(...given)
    if (JSON.stringify(given[0]).includes('part as materialized') && failures-- > 0) throw new Error('lost')
    return rows as never
  }
  await expect(countQueues(database)).rejects.toThrow('lost')
  const [row] = await query<{ counting: string | null }>(sql`select counting from queue_counts`)
  expect(row?.counting).toBeNull()
})
