// Conditional writes to tasks: which claims, results and cancellations are accepted, and the plans of the
// statements.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import type { Decision } from '../../src/definitions/task-status.ts'
import { sql } from '../../src/store/drizzle.ts'
import type { TaskStore } from '../../src/store/task-store.ts'
import { createNewTasks } from '../support/new-tasks.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'

let system: TestSystem
let store: TaskStore
beforeAll(async () => {
  system = await startSystem({ worker: false })
  store = system.connections.taskStore
})
afterAll(() => system.stop())

const workerId = newId()
const success = (result: unknown): Decision => ({
  status: 'SUCCESS',
  resultText: JSON.stringify(result),
  failures: 0,
})

async function insert(count = 1): Promise<string[]> {
  const tasks = createNewTasks(count)
  await store.insertMany(tasks)
  return tasks.map(({ id }) => id)
}

const claimOf = (id: string, attempt = 0, isRepeated = false) => ({
  id,
  attempt,
  workerId,
  isRepeated,
})

test('only one of several concurrent claims gets an attempt', async () => {
  const ids = await insert(20)
  const rounds = await Promise.all(
    Array.from({ length: 5 }, () => store.claimMany(ids.map((id) => claimOf(id)))),
  )
  const claimed = rounds.flat().filter((task) => task !== null)
  expect(claimed).toHaveLength(20)
  expect(new Set(claimed.map(({ id }) => id)).size).toBe(20)
})

test('a task reference of an earlier attempt claims nothing', async () => {
  const [id = ''] = await insert()
  await store.claimMany([claimOf(id)])
  await store.finishMany([
    { id, attempt: 1, workerId, decision: { status: 'PENDING', failures: 0, delayMs: 0 } },
  ])
  expect(await store.claimMany([claimOf(id, 0)])).toEqual([null])
  expect(await store.claimMany([claimOf(id, 1)])).toMatchObject([{ id, attempt: 2 }])
})

test('a claimed task is marked as enqueued, also by a late reference: recovery reads only such tasks', async () => {
  const [id = ''] = await insert()
  await system.connections.database.query(sql`update tasks set enqueued_at = null where id = ${id}`)
  await store.claimMany([claimOf(id)])
  const rows = await system.connections.database.query(
    sql`select status, enqueued_at is not null as "isMarked" from tasks where id = ${id}`,
  )
  expect(rows).toEqual([{ status: 'STARTED', isMarked: true }])
})

test('only the same worker can repeat a claim whose response was lost', async () => {
  const [id = ''] = await insert()
  await store.claimMany([claimOf(id)])
  expect(await store.claimMany([{ ...claimOf(id, 0, true), workerId: newId() }])).toEqual([null])
  expect(await store.claimMany([claimOf(id, 0, true)])).toMatchObject([{ id, attempt: 1 }])
})

test('the result of a worker that counted as missing is rejected', async () => {
  const [id = ''] = await insert()
  await store.claimMany([claimOf(id)])
  const lost: Decision = {
    status: 'RETRY',
    failures: 1,
    delayMs: 0,
    error: { name: 'WorkerLost', message: 'lost', retryable: true },
  }
  await store.finishMany([{ id, attempt: 1, workerId, decision: lost }])
  await store.claimMany([claimOf(id, 1)])
  expect(await store.finishMany([{ id, attempt: 1, workerId, decision: success('late') }])).toEqual([null])
  expect(await store.finishMany([{ id, attempt: 2, workerId, decision: success('right') }])).toEqual([
    'SUCCESS',
  ])
  expect(await store.finishMany([{ id, attempt: 2, workerId, decision: success('again') }])).toEqual([null])
  expect(await system.task(id)).toMatchObject({ status: 'SUCCESS', result: 'right' })
})

test('another worker cannot finish an attempt with the same number', async () => {
  // A crash of Postgres can undo a claim. The worker that made it then still runs an attempt that it no
  // longer holds.
  const [id = ''] = await insert()
  await store.claimMany([claimOf(id)])
  const otherWorkerId = newId()
  expect(
    await store.finishMany([{ id, attempt: 1, workerId: otherWorkerId, decision: success('wrong') }]),
  ).toEqual([null])
  expect(await store.finishMany([{ id, attempt: 1, workerId, decision: success('right') }])).toEqual([
    'SUCCESS',
  ])
})

test('two attempts of one task in one batch each get their own result', async () => {
  const [id = ''] = await insert()
  await store.claimMany([claimOf(id)])
  await store.finishMany([
    { id, attempt: 1, workerId, decision: { status: 'PENDING', failures: 0, delayMs: 0 } },
  ])
  await store.claimMany([claimOf(id, 1)])
  const error = { name: 'Error', message: 'late', retryable: true }
  const late: Decision = { status: 'FAILURE', failures: 1, error }
  const statuses = await store.finishMany([
    { id, attempt: 1, workerId, decision: late },
    { id, attempt: 2, workerId, decision: success('right') },
  ])
  expect(statuses).toEqual([null, 'SUCCESS'])
  expect(await system.task(id)).toMatchObject({ status: 'SUCCESS', result: 'right', attempts: [] })
})

test('a finished task can neither be cancelled nor claimed', async () => {
  const [id = ''] = await insert()
  await store.claimMany([claimOf(id)])
  await store.finishMany([{ id, attempt: 1, workerId, decision: success(null) }])
  expect(await store.cancelMany([id])).toEqual([])
  expect(await store.claimMany([claimOf(id, 1)])).toEqual([null])
})

test('a query that reads a whole small table is not compiled by the JIT', async (context) => {
  if (!system.database.isServer) return context.skip('needs a server that can compile')
  const { database } = system.connections
  await database.query(sql`
    insert into workers (id, host, pid, version, queues, concurrency)
    select gen_random_uuid(), 'here', n, 'test', '{unused}', 1 from generate_series(1, 5) as n`)
  const rows = await database.use((drizzle) =>
    drizzle.transaction(async (transaction) => {
      // Up to PostgreSQL 17, enable_seqscan=off raises the cost of a sequential scan so far that Postgres
      // would compile the statement, for 50 ms or more. This setting does the same on every version.
      await transaction.execute(sql`set local jit_above_cost = 0`)
      const plan = await transaction.execute(
        sql`explain analyze select pid, host from workers order by started_at`,
      )
      return (plan as { rows: { 'QUERY PLAN': string }[] }).rows
    }),
  )
  await database.query(sql`delete from workers`)
  const text = rows.map((row) => row['QUERY PLAN']).join('\n')
  expect(text).toContain('Seq Scan on workers')
  expect(text).not.toContain('JIT')
})

test('a claim is a HOT update, which changes no index', async (context) => {
  if (!system.database.isServer) return context.skip('needs the statistics of a server')
  const ids = await insert(200)
  const before = await hotUpdates()
  await store.claimMany(ids.map((id) => claimOf(id)))
  await until(hotUpdates, (hot) => hot - before >= 180)
})

async function hotUpdates(): Promise<number> {
  const rows = await system.connections.database.query<{ hot: number }>(sql`
    select sum(n_tup_hot_upd)::int as hot from pg_stat_user_tables where relname like 'tasks\\_%'`)
  return rows[0]?.hot ?? 0
}
