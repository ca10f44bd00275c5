// Retention in a worker: tasks that are deleted row by row, idempotency keys, and the loop itself.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Database } from '../../src/store/database.ts'
import { sql } from '../../src/store/drizzle.ts'
import { insertTasksOnce } from '../../src/store/insert-tasks.ts'
import type { NewTask } from '../../src/store/new-tasks.ts'
import { listPartitions, type Partition } from '../../src/store/partitions/tables.ts'
import { rowRulesOf } from '../../src/store/retention-policy.ts'
import { LOWEST_ID, pruneStatement, type RetentionStore } from '../../src/store/retention-store.ts'
import { retentionPolicyOf } from '../../src/worker/worker-options.ts'
import { createNewTasks } from '../support/new-tasks.ts'
import { insertOldTask, type OldTask, remainingTasks } from '../support/old-tasks.ts'
import { makePastPartitions } from '../support/past-partitions.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const POLICY = { keptMs: 30 * DAY_MS }

let system: TestSystem
let store: RetentionStore
let past: Partition
beforeAll(async () => {
  system = await startSystem({ worker: false })
  store = system.connections.retentionStore
  past = (await listPartitions(system.connections.database))[0] as Partition
})
afterAll(() => system.stop())
beforeEach(async () => {
  for (const table of ['tasks', 'attempts', 'task_logs', 'retention_progress', 'idempotency_keys'])
    await query(sql`delete from ${sql.raw(table)}`)
})

const query = <Row>(statement: ReturnType<typeof sql>) => system.connections.database.query<Row>(statement)
const insert = (task?: OldTask) => insertOldTask(system.connections.database, task)
const remaining = () => remainingTasks(system.connections.database)

/** Scans the whole oldest partition and returns the number of deleted tasks. */
async function prune(limit = 1_000, policy = POLICY): Promise<number> {
  let deleted = 0
  for (let afterId = LOWEST_ID; ; ) {
    const step = await store.pruneTasks(past, policy, afterId, limit)
    deleted += step.deleted
    afterId = step.lastId
    if (step.isAtEnd) return deleted
  }
}

describe('a partition that cannot be replaced', () => {
  test('loses the tasks that ended before the retention time, with their attempts and logs', async () => {
    await Promise.all(['SUCCESS', 'FAILURE', 'CANCELLED'].map((status) => insert({ status })))
    const kept = [
      await insert({ createdDaysAgo: 400, finishedDaysAgo: 29 }),
      await insert({ createdDaysAgo: 31, finishedDaysAgo: 1 }),
    ]
    expect(await prune()).toBe(3)
    expect(await remaining()).toEqual(kept.toSorted())
  })

  test('loses successful tasks earlier if they are kept for a shorter time', async () => {
    await insert({ finishedDaysAgo: 3 })
    const kept = [
      await insert({ finishedDaysAgo: 1 }),
      await insert({ status: 'FAILURE', finishedDaysAgo: 3 }),
      await insert({ status: 'CANCELLED', finishedDaysAgo: 3 }),
    ]
    expect(await prune(10, { ...POLICY, successMs: 2 * DAY_MS } as typeof POLICY)).toBe(1)
    expect(await remaining()).toEqual(kept.toSorted())
  })

  test.each(['PENDING', 'STARTED', 'RETRY'])('keeps a %s task, however old it is', async (status) => {
    const id = await insert({ status, createdDaysAgo: 4_000, finishedDaysAgo: null })
    expect(await prune()).toBe(0)
    expect(await remaining()).toEqual([id])
  })

  test('keeps a finished task until its callback has been created', async () => {
    const callbackUrl = 'https://example.com/'
    const withoutCallback = await insert({ callbackUrl })
    await insert({ callbackUrl, callbackId: crypto.randomUUID() })
    expect(await prune()).toBe(1)
    expect(await remaining()).toEqual([withoutCallback])
    await query(sql`update tasks set callback_id = gen_random_uuid()`)
    expect(await prune()).toBe(1)
  })

  test('is scanned in steps, which skip tasks that may not be deleted', async () => {
    let last = ''
    for (let days = 100; days > 90; days--) {
      await insert({ status: 'PENDING', createdDaysAgo: days, finishedDaysAgo: null })
      await insert({ status: 'PENDING', createdDaysAgo: days - 0.3, finishedDaysAgo: null })
      last = await insert({ createdDaysAgo: days - 0.6 })
    }
    const first = await store.pruneTasks(past, POLICY, LOWEST_ID, 7)
    expect(first).toMatchObject({ deleted: 2, isAtEnd: false })
    const second = await store.pruneTasks(past, POLICY, first.lastId, 1_000)
    expect(second).toEqual({ deleted: 8, lastId: last, isAtEnd: true })
    expect(await remaining()).toHaveLength(20)
  })

  test('keeps a locked row until the next scan', async (context) => {
    if (!system.database.isServer) return context.skip('needs several connections')
    const locked = await insert({ status: 'FAILURE' })
    await insert({ status: 'FAILURE' })
    await system.connections.database.use((drizzle) =>
      drizzle.transaction(async (transaction) => {
        await transaction.execute(sql`update tasks set version = version + 1 where id = ${locked}`)
        expect(await prune()).toBe(1)
      }),
    )
    expect(await remaining()).toEqual([locked])
    expect(await prune()).toBe(1)
  })

  test('can be scanned by several workers: every task is deleted once', async () => {
    for (let n = 0; n < 60; n++) await insert()
    const deleted = await Promise.all([prune(7), prune(7), prune(11)])
    // Each scan skips rows that another scan has locked, so some tasks can be left for a later scan.
    const later = await prune()
    expect(deleted.reduce((sum, count) => sum + count, later)).toBe(60)
    expect(await remaining()).toEqual([])
  })

  test('is read by its primary key', async (context) => {
    if (!system.database.isServer) return context.skip('needs the planner of a server')
    await query(sql`
      insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, run_at, created_at, finished_at)
      select (lpad(to_hex(1700000000000 + n), 12, '0') || '70008000000000000000')::uuid, 'reverse', 'unused', 'SUCCESS', '{}', 0,
             1000, now(), now(), now()
      from generate_series(1, 20000) as n`)
    await query(sql`vacuum analyze tasks`)
    const rows = await query<{ 'QUERY PLAN': string }>(
      sql`explain ${pruneStatement(past.suffix, { afterId: LOWEST_ID, isOld: sql`finished_at < now()`, limit: 1_000 })}`,
    )
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
    expect(plan.match(/ using tasks_past\w*_pkey on tasks_past/g)).toHaveLength(3)
    expect(plan).not.toMatch(/Seq Scan|Hash Join|Merge Join/)
  })
})

describe('times that are too short for partitions', () => {
  test('are those of definitions, and of all successful tasks if they are short', () => {
    const definitions = [
      { name: 'a', retention: { successHours: 2 } },
      { name: 'b' },
      { name: 'c', retention: { successHours: 2 } },
      { name: 'd', retention: { successHours: 1_000 } },
    ]
    const policyOf = (options: { keptMs?: number; successMs?: number }) =>
      rowRulesOf(retentionPolicyOf(options, definitions)).map(({ names, successMs }) => [
        names,
        successMs / HOUR_MS,
      ])
    expect(policyOf(POLICY)).toEqual([[['a', 'c'], 2]])
    expect(policyOf({ ...POLICY, successMs: 5 * DAY_MS })).toEqual([[['a', 'c'], 2]])
    expect(policyOf({ ...POLICY, successMs: 6 * HOUR_MS })).toEqual([
      [undefined, 6],
      [['a', 'c'], 2],
    ])
    expect(policyOf({ ...POLICY, successMs: HOUR_MS })).toEqual([[undefined, 1]])
    expect(policyOf({})).toEqual([
      [['a', 'c'], 2],
      [['d'], 1_000],
    ])
  })

  const rule = { key: 'success reverse', names: ['reverse'], successMs: 2 * HOUR_MS }

  test('remove only successful tasks of the definition, each once, and continue after a restart', async () => {
    const times = { createdDaysAgo: 0.2, finishedDaysAgo: 0.2 }
    for (let n = 0; n < 25; n++) await insert(times)
    const kept = [
      await insert({ ...times, name: 'other' }),
      await insert({ ...times, status: 'FAILURE' }),
      await insert({ createdDaysAgo: 0.05, finishedDaysAgo: 0.05 }),
      await insert({ createdDaysAgo: 0.2, status: 'PENDING', finishedDaysAgo: null }),
    ]
    let deleted = 0
    for (let isMore = true; isMore; ) {
      const step = await store.pruneByRule(rule, 10)
      deleted += step.deleted
      isMore = step.isMore
    }
    expect(deleted).toBe(25)
    expect(await remaining()).toEqual(kept.toSorted())
    // The tasks before the stored position are not read again.
    const [progress] = await query<{ id: string }>(sql`select last_id::text as id from retention_progress`)
    expect(kept).toContain(progress?.id)
    await insert({ createdDaysAgo: 0.3, finishedDaysAgo: 0.3 })
    expect(await store.pruneByRule({ ...rule, successMs: 3 * HOUR_MS }, 10)).toEqual({
      deleted: 0,
      isMore: false,
    })
  })

  test('also remove a task that ran long: the scan does not pass it before it is too old', async () => {
    const HOURS = 1 / 24
    const id = await insert({ createdDaysAgo: 2.5 * HOURS, finishedDaysAgo: 1.6 * HOURS })
    expect(await store.pruneByRule(rule, 10)).toEqual({ deleted: 0, isMore: false })
    // Makes the task half an hour older.
    await query(sql`update tasks set finished_at = finished_at - interval '30 minutes'`)
    await store.pruneByRule({ ...rule, successMs: 1.4 * HOUR_MS }, 10)
    expect(await remaining()).not.toContain(id)
  })

  test('remove tasks that ended late when these are too old', async () => {
    await insert({ createdDaysAgo: 9, finishedDaysAgo: 0.2 })
    const kept = [
      await insert({ createdDaysAgo: 9, finishedDaysAgo: 0.2, status: 'FAILURE' }),
      await insert({ createdDaysAgo: 9, finishedDaysAgo: 0.01 }),
    ]
    expect(await store.pruneLate(rule, 10)).toBe(1)
    expect(await remaining()).toEqual(kept.toSorted())
  })
})

test('idempotency keys are deleted after their time, whatever happens to the task', async () => {
  const { id } = await system.service.submit('reverse', { text: 'x' }, { idempotency: keyOf(1) })
  await system.service.submit('reverse', { text: 'x' }, { idempotency: keyOf(2) })
  await query(sql`update idempotency_keys set created_at = now() - interval '25 hours' where task_id = ${id}`)
  expect(await store.pruneKeys(26 * HOUR_MS, 10)).toBe(0)
  expect(await store.pruneKeys(24 * HOUR_MS, 10)).toBe(1)
  expect(await query(sql`select key from idempotency_keys`)).toEqual([{ key: keyOf(2).key }])
})

test('a submission whose key expires while it is looked up creates its task', async () => {
  await system.service.submit('reverse', { text: 'x' }, { idempotency: keyOf(3) })
  const { database } = system.connections
  const reads = { ...database.reads }
  const expiring: Database = {
    ...database,
    reads: {
      ...reads,
      use: async (work) => {
        await query(sql`delete from idempotency_keys where key = ${keyOf(3).key}`)
        return reads.use(work)
      },
    },
  }
  const [other, late] = createNewTasks(2)
  const tasks = [
    { ...(other as NewTask), idempotency: keyOf(4) },
    { ...(late as NewTask), idempotency: keyOf(3) },
  ]
  const results = await insertTasksOnce(expiring, tasks)
  expect(results.map(({ first }) => first)).toEqual([null, null])
  expect(await query(sql`select key::text from idempotency_keys order by key`)).toEqual(
    [keyOf(3), keyOf(4)].map(({ key }) => ({ key })),
  )
})

test('a repeated submission gets the first response also when its task is gone', async () => {
  const submit = () =>
    system.request('POST', '/v1/tasks/reverse', { input: { text: 'x' } }, { 'Idempotency-Key': 'k' })
  const first = await submit()
  await query(sql`delete from tasks`)
  const second = await submit()
  expect([second.status, second.body]).toEqual([202, first.body])
  expect(second.headers.get('Idempotent-Replayed')).toBe('true')
  expect(await remaining()).toEqual([])
})

test('a worker removes old tasks and statistics; without a retention time it keeps all tasks', async () => {
  const [old, recent] = [await insert(), await insert({ finishedDaysAgo: 1 })]
  const { activityStore } = system.connections
  const ageMs = 9 * DAY_MS
  const isKept = async () =>
    (await query(sql`select from activity where starts_at < now() - interval '8 days'`)).length > 0
  await activityStore.add([{ name: 'reverse', measure: 'accepted', bucket: 0, count: 1, ageMs }])
  const keeping = system.startWorker({ queues: ['unused'], pruneMs: 20 })
  await until(isKept, (kept) => !kept)
  await keeping.stop(0)
  expect(await remaining()).toEqual([old, recent].toSorted())

  const successMs = 6 * HOUR_MS
  const pruning = system.startWorker({ queues: ['unused'], pruneMs: 20, keptMs: 30 * DAY_MS, successMs })
  await until(remaining, ({ length }) => length === 0)
  await pruning.stop(0)
})

test('a worker deletes tasks that ended late and become too old after their partition was replaced', async () => {
  await makePastPartitions(system.connections.database, 8)
  const late = await insert({ createdDaysAgo: 6, finishedDaysAgo: 2 })
  await insert({ createdDaysAgo: 6, finishedDaysAgo: 6 })
  const options = { queues: ['unused'], pruneMs: 20, keptMs: 30 * DAY_MS, successMs: 3 * DAY_MS }
  const replacing = system.startWorker(options)
  await until(remaining, ({ length }) => length === 1)
  await replacing.stop(0)
  await query(sql`update tasks set finished_at = now() - interval '4 days' where id = ${late}`)
  const pruning = system.startWorker(options)
  await until(remaining, ({ length }) => length === 0)
  await pruning.stop(0)
})

function keyOf(number: number) {
  const key = `00000000-0000-0000-0000-${String(number).padStart(12, '0')}`
  return { key, fingerprint: key }
}
