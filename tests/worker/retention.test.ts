// What is old is let go of: only what has ended, only when everybody who wanted to know has been told.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import { sql } from '../../src/store/drizzle.ts'
import { BEFORE_ALL, pruneStatement, type RetentionStore } from '../../src/store/retention-store.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'

const DAY_MS = 86_400_000

let system: TestSystem
let store: RetentionStore
beforeAll(async () => {
  system = await startSystem({ worker: false })
  store = system.connections.retentionStore
})
afterAll(() => system.stop())
beforeEach(async () => {
  await query(sql`delete from tasks`)
})

const query = <Row>(statement: ReturnType<typeof sql>) => system.connections.database.query<Row>(statement)

interface Old {
  status?: string
  submittedDaysAgo?: number
  endedDaysAgo?: number | null
  callbackUrl?: string
  callbackId?: string
}

async function insert({
  status = 'SUCCESS',
  submittedDaysAgo = 40,
  endedDaysAgo = 39,
  callbackUrl,
  callbackId,
}: Old): Promise<string> {
  const createdAtMs = Date.now() - submittedDaysAgo * DAY_MS
  const id = newId(createdAtMs)
  const created = sql`to_timestamp(${createdAtMs / 1_000}::float8)`
  await query(sql`
    insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, run_at, enqueued_at, created_at, finished_at,
                       callback_url, callback_id)
    values (${id}, 'reverse', 'nobody', ${status}, '{}', 0, 1000, ${created}, now(), ${created},
            now() - ${endedDaysAgo}::float8 * interval '1 day', ${callbackUrl ?? null}::text, ${callbackId ?? null}::uuid)`)
  return id
}

async function idsLeft(): Promise<string[]> {
  return (await query<{ id: string }>(sql`select id from tasks order by id`)).map(({ id }) => id)
}

/** A whole walk. */
async function prune(limit = 1_000): Promise<number> {
  let deleted = 0
  for (let afterId = BEFORE_ALL; ; ) {
    const step = await store.pruneTasks(afterId, 30 * DAY_MS, limit)
    deleted += step.deleted
    afterId = step.lastId
    if (step.isAtEnd) return deleted
  }
}

test('what ended before the time is deleted, whatever it ended as, with its attempts and logs', async () => {
  const old = await Promise.all(['SUCCESS', 'FAILURE', 'CANCELLED'].map((status) => insert({ status })))
  const kept = [
    await insert({ submittedDaysAgo: 400, endedDaysAgo: 29 }),
    await insert({ submittedDaysAgo: 31, endedDaysAgo: 1 }),
    await insert({ submittedDaysAgo: 1, endedDaysAgo: 0 }),
  ]
  for (const id of [...old, ...kept]) {
    await query(sql`insert into attempts (task_id, attempt, error) values (${id}, 1, '{}')`)
    await query(sql`insert into task_logs (task_id, attempt, at, message) values (${id}, 1, now(), 'said')`)
  }
  expect(await prune()).toBe(3)
  expect(await idsLeft()).toEqual(kept.toSorted())
  const [left] = await query<{ attempts: number; logs: number }>(sql`
    select (select count(*)::int from attempts) as attempts, (select count(*)::int from task_logs) as logs`)
  expect(left).toEqual({ attempts: 3, logs: 3 })
})

test.each(['PENDING', 'STARTED', 'RETRY'])('what is %s is kept, however old it is', async (status) => {
  const id = await insert({ status, submittedDaysAgo: 4_000, endedDaysAgo: null })
  expect(await prune()).toBe(0)
  expect(await idsLeft()).toEqual([id])
})

test('what somebody is still to be told of is kept until they are', async () => {
  const callbackUrl = 'https://example.com/'
  const untold = await insert({ callbackUrl })
  await insert({ callbackUrl, callbackId: crypto.randomUUID() })
  expect(await prune()).toBe(1)
  expect(await idsLeft()).toEqual([untold])
  await query(sql`update tasks set callback_id = gen_random_uuid()`)
  expect(await prune()).toBe(1)
})

test('a walk goes on where it stopped, and steps over what it may not delete', async () => {
  let last = ''
  for (let days = 100; days > 90; days--) {
    await insert({ status: 'PENDING', submittedDaysAgo: days, endedDaysAgo: null })
    await insert({ status: 'PENDING', submittedDaysAgo: days - 0.3, endedDaysAgo: null })
    last = await insert({ submittedDaysAgo: days - 0.6 })
  }
  const first = await store.pruneTasks(BEFORE_ALL, 30 * DAY_MS, 7)
  expect(first).toMatchObject({ deleted: 2, isAtEnd: false })
  const second = await store.pruneTasks(first.lastId, 30 * DAY_MS, 1_000)
  expect(second).toEqual({ deleted: 8, lastId: last, isAtEnd: true })
  // At the end it waits for what grows old.
  expect(await store.pruneTasks(second.lastId, 30 * DAY_MS, 7)).toEqual({
    deleted: 0,
    lastId: second.lastId,
    isAtEnd: true,
  })
  expect(await idsLeft()).toHaveLength(20)
})

test('what somebody has in hand is left to the next walk, and is not waited for', async (context) => {
  if (!system.database.isServer) return context.skip('needs several connections')
  const [held, free] = [await insert({ status: 'FAILURE' }), await insert({ status: 'FAILURE' })]
  await system.connections.database.use((drizzle) =>
    drizzle.transaction(async (transaction) => {
      await transaction.execute(sql`update tasks set version = version + 1 where id = ${held}`)
      expect(await prune()).toBe(1)
    }),
  )
  expect(await idsLeft()).toEqual([held])
  expect(free).not.toBe(held)
  expect(await prune()).toBe(1)
})

test('two workers at once delete everything once', async () => {
  for (let n = 0; n < 60; n++) await insert({})
  const deleted = await Promise.all([prune(7), prune(7), prune(11)])
  // What one has met in the hand of another is for its next walk.
  const later = await prune()
  expect(deleted.reduce((sum, count) => sum + count, later)).toBe(60)
  expect(await idsLeft()).toEqual([])
})

test('the walk goes by the primary key', async (context) => {
  if (!system.database.isServer) return context.skip('needs the planner of a server')
  await query(sql`
    insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, run_at, created_at, finished_at)
    select (lpad(to_hex(1700000000000 + n), 12, '0') || '70008000000000000000')::uuid, 'reverse', 'nobody', 'SUCCESS', '{}', 0,
           1000, now(), now(), now()
    from generate_series(1, 20000) as n`)
  await query(sql`vacuum analyze tasks`)
  for (const afterId of [BEFORE_ALL, newId(1_700_000_010_000)]) {
    const rows = await query<{ 'QUERY PLAN': string }>(
      sql`explain ${pruneStatement(afterId, 30 * DAY_MS, 1_000)}`,
    )
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
    expect(plan.match(/ using tasks_pkey on tasks/g)).toHaveLength(3)
    expect(plan).not.toMatch(/Seq Scan|Hash Join|Merge Join/)
  }
})

test('a worker deletes what is old, and statistics, by itself; without a limit it keeps all tasks', async () => {
  const [old, young] = [await insert({}), await insert({ endedDaysAgo: 1 })]
  const { activityStore } = system.connections
  const ageMs = 9 * DAY_MS
  const isKept = async () => (await query(sql`select from activity where width = 600`)).length > 0
  await activityStore.add([{ name: 'reverse', measure: 'accepted', bucket: 0, count: 1, ageMs }])
  const keeping = system.startWorker({ queues: ['nobody'], pruneMs: 20 })
  await until(isKept, (kept) => !kept)
  await keeping.stop(0)
  expect(await idsLeft()).toEqual([old, young].toSorted())

  const pruning = system.startWorker({ queues: ['nobody'], pruneMs: 20, keptMs: 30 * DAY_MS })
  expect(await until(idsLeft, ({ length }) => length === 1)).toEqual([young])
  // What ends later is met as well.
  await query(sql`update tasks set finished_at = now() - interval '31 days'`)
  await pruning.stop(0)
  const next = system.startWorker({ queues: ['nobody'], pruneMs: 20, keptMs: 30 * DAY_MS })
  await until(idsLeft, ({ length }) => length === 0)
  await next.stop(0)
})
