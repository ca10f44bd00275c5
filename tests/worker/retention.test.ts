// Retention: deletes tasks that finished long ago and whose callbacks were created.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import { sql } from '../../src/store/drizzle.ts'
import { LOWEST_ID, pruneStatement, type RetentionStore } from '../../src/store/retention-store.ts'
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

interface TaskAge {
  status?: string
  createdDaysAgo?: number
  finishedDaysAgo?: number | null
  callbackUrl?: string
  callbackId?: string
}

async function insert({
  status = 'SUCCESS',
  createdDaysAgo = 40,
  finishedDaysAgo = 39,
  callbackUrl,
  callbackId,
}: TaskAge): Promise<string> {
  const createdAtMs = Date.now() - createdDaysAgo * DAY_MS
  const id = newId(createdAtMs)
  const created = sql`to_timestamp(${createdAtMs / 1_000}::float8)`
  await query(sql`
    insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, run_at, enqueued_at, created_at, finished_at,
                       callback_url, callback_id)
    values (${id}, 'reverse', 'unused', ${status}, '{}', 0, 1000, ${created}, now(), ${created},
            now() - ${finishedDaysAgo}::float8 * interval '1 day', ${callbackUrl ?? null}::text, ${callbackId ?? null}::uuid)`)
  return id
}

async function remainingIds(): Promise<string[]> {
  return (await query<{ id: string }>(sql`select id from tasks order by id`)).map(({ id }) => id)
}

/** Walks over the whole table and returns the number of deleted tasks. */
async function prune(limit = 1_000): Promise<number> {
  let deleted = 0
  for (let afterId = LOWEST_ID; ; ) {
    const step = await store.pruneTasks(afterId, 30 * DAY_MS, limit)
    deleted += step.deleted
    afterId = step.lastId
    if (step.isAtEnd) return deleted
  }
}

test('tasks that finished before the retention time are deleted with their attempts and logs', async () => {
  const old = await Promise.all(['SUCCESS', 'FAILURE', 'CANCELLED'].map((status) => insert({ status })))
  const kept = [
    await insert({ createdDaysAgo: 400, finishedDaysAgo: 29 }),
    await insert({ createdDaysAgo: 31, finishedDaysAgo: 1 }),
    await insert({ createdDaysAgo: 1, finishedDaysAgo: 0 }),
  ]
  for (const id of [...old, ...kept]) {
    await query(sql`insert into attempts (task_id, attempt, error) values (${id}, 1, '{}')`)
    await query(sql`insert into task_logs (task_id, attempt, at, message) values (${id}, 1, now(), 'said')`)
  }
  expect(await prune()).toBe(3)
  expect(await remainingIds()).toEqual(kept.toSorted())
  const [remaining] = await query<{ attempts: number; logs: number }>(sql`
    select (select count(*)::int from attempts) as attempts, (select count(*)::int from task_logs) as logs`)
  expect(remaining).toEqual({ attempts: 3, logs: 3 })
})

test.each(['PENDING', 'STARTED', 'RETRY'])('a %s task is kept, however old it is', async (status) => {
  const id = await insert({ status, createdDaysAgo: 4_000, finishedDaysAgo: null })
  expect(await prune()).toBe(0)
  expect(await remainingIds()).toEqual([id])
})

test('a finished task is kept until its callback has been created', async () => {
  const callbackUrl = 'https://example.com/'
  const withoutCallback = await insert({ callbackUrl })
  await insert({ callbackUrl, callbackId: crypto.randomUUID() })
  expect(await prune()).toBe(1)
  expect(await remainingIds()).toEqual([withoutCallback])
  await query(sql`update tasks set callback_id = gen_random_uuid()`)
  expect(await prune()).toBe(1)
})

test('a walk continues where it stopped and skips tasks that it may not delete', async () => {
  let last = ''
  for (let days = 100; days > 90; days--) {
    await insert({ status: 'PENDING', createdDaysAgo: days, finishedDaysAgo: null })
    await insert({ status: 'PENDING', createdDaysAgo: days - 0.3, finishedDaysAgo: null })
    last = await insert({ createdDaysAgo: days - 0.6 })
  }
  const first = await store.pruneTasks(LOWEST_ID, 30 * DAY_MS, 7)
  expect(first).toMatchObject({ deleted: 2, isAtEnd: false })
  const second = await store.pruneTasks(first.lastId, 30 * DAY_MS, 1_000)
  expect(second).toEqual({ deleted: 8, lastId: last, isAtEnd: true })
  // At the end it stays there until more tasks are old enough.
  expect(await store.pruneTasks(second.lastId, 30 * DAY_MS, 7)).toEqual({
    deleted: 0,
    lastId: second.lastId,
    isAtEnd: true,
  })
  expect(await remainingIds()).toHaveLength(20)
})

test('a locked row is skipped and deleted by the next walk', async (context) => {
  if (!system.database.isServer) return context.skip('needs several connections')
  const [locked, free] = [await insert({ status: 'FAILURE' }), await insert({ status: 'FAILURE' })]
  await system.connections.database.use((drizzle) =>
    drizzle.transaction(async (transaction) => {
      await transaction.execute(sql`update tasks set version = version + 1 where id = ${locked}`)
      expect(await prune()).toBe(1)
    }),
  )
  expect(await remainingIds()).toEqual([locked])
  expect(free).not.toBe(locked)
  expect(await prune()).toBe(1)
})

test('concurrent walks delete every task once', async () => {
  for (let n = 0; n < 60; n++) await insert({})
  const deleted = await Promise.all([prune(7), prune(7), prune(11)])
  // A walk skips rows that another walk has locked, so a later walk may delete more.
  const later = await prune()
  expect(deleted.reduce((sum, count) => sum + count, later)).toBe(60)
  expect(await remainingIds()).toEqual([])
})

test('a walk reads the primary key', async (context) => {
  if (!system.database.isServer) return context.skip('needs the planner of a server')
  await query(sql`
    insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, run_at, created_at, finished_at)
    select (lpad(to_hex(1700000000000 + n), 12, '0') || '70008000000000000000')::uuid, 'reverse', 'unused', 'SUCCESS', '{}', 0,
           1000, now(), now(), now()
    from generate_series(1, 20000) as n`)
  await query(sql`vacuum analyze tasks`)
  for (const afterId of [LOWEST_ID, newId(1_700_000_010_000)]) {
    const rows = await query<{ 'QUERY PLAN': string }>(
      sql`explain ${pruneStatement(afterId, 30 * DAY_MS, 1_000)}`,
    )
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
    expect(plan.match(/ using tasks_pkey on tasks/g)).toHaveLength(3)
    expect(plan).not.toMatch(/Seq Scan|Hash Join|Merge Join/)
  }
})

test('a worker deletes old tasks and statistics; without a retention time it keeps all tasks', async () => {
  const [old, recent] = [await insert({}), await insert({ finishedDaysAgo: 1 })]
  const { activityStore } = system.connections
  const ageMs = 9 * DAY_MS
  const isKept = async () => (await query(sql`select from activity where width = 600`)).length > 0
  await activityStore.add([{ name: 'reverse', measure: 'accepted', bucket: 0, count: 1, ageMs }])
  const keeping = system.startWorker({ queues: ['unused'], pruneMs: 20 })
  await until(isKept, (kept) => !kept)
  await keeping.stop(0)
  expect(await remainingIds()).toEqual([old, recent].toSorted())

  const pruning = system.startWorker({ queues: ['unused'], pruneMs: 20, keptMs: 30 * DAY_MS })
  expect(await until(remainingIds, ({ length }) => length === 1)).toEqual([recent])
  // A task that is old enough only later is deleted by a later walk.
  await query(sql`update tasks set finished_at = now() - interval '31 days'`)
  await pruning.stop(0)
  const next = system.startWorker({ queues: ['unused'], pruneMs: 20, keptMs: 30 * DAY_MS })
  await until(remainingIds, ({ length }) => length === 0)
  await next.stop(0)
})
