// Ends of attempts that were refused: in which row of `attempts` they are kept, and which ones are not
// refused because an earlier write of the same end was accepted.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import type { Decision, TaskError } from '../../src/definitions/task-status.ts'
import { sql } from '../../src/store/drizzle.ts'
import type { RefusedAttempt } from '../../src/store/refused-ends.ts'
import type { AttemptRow, RefusedEnd } from '../../src/store/schema.ts'
import type { TaskStore } from '../../src/store/task-store.ts'
import { createNewTasks } from '../support/new-tasks.ts'
import { readTableIndexes, withTableIndexes } from '../support/partitioned-indexes.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

let system: TestSystem
let store: TaskStore
beforeAll(async () => {
  system = await startSystem({ worker: false })
  store = system.connections.taskStore
})
afterAll(() => system.stop())

const workerId = newId()
const otherId = newId()
const AT = '2026-01-01T00:00:00.000Z'
const LOST: TaskError = { name: 'WorkerLost', message: 'worker lost during attempt 1', retryable: true }
const OWN: TaskError = { name: 'Error', message: 'own\0 \ud800', retryable: true }

const succeeded: Decision = { status: 'SUCCESS', resultText: '"late"', failures: 0 }
const cancelled: Decision = { status: 'CANCELLED', failures: 0 }
const released: Decision = { status: 'PENDING', failures: 0, delayMs: 0 }
const retry = (error: TaskError, delayMs = 0): Decision => ({ status: 'RETRY', error, failures: 1, delayMs })
const failure = (error: TaskError): Decision => ({ status: 'FAILURE', error, failures: 1 })

/** Inserts a task and claims its attempt 1. */
async function claimed(by = workerId): Promise<string> {
  const [task] = createNewTasks(1)
  if (!task) throw new Error('createNewTasks(1) returned no task')
  await store.insertMany([task])
  await claim(task.id, 0, by)
  return task.id
}

const claim = (id: string, attempt: number, by = workerId) =>
  store.claimMany([{ id, attempt, workerId: by, isRepeated: false }])

const finish = (id: string, decision: Decision, attempt = 1, by = workerId) =>
  store.finishMany([{ id, attempt, workerId: by, decision }])

const kept = (end: Partial<RefusedEnd> = {}): RefusedEnd => ({ at: AT, status: 'SUCCESS', log: [], ...end })

function late(id: string, own: Partial<RefusedAttempt> = {}): RefusedAttempt {
  return { id, attempt: 1, workerId, decision: succeeded, startedAt: new Date(AT), refused: kept(), ...own }
}

async function attemptsOf(id: string): Promise<AttemptRow[]> {
  return system.connections.taskReader.attemptsOf(id)
}

const versionOf = async (id: string) => (await system.connections.taskReader.find(id))?.version ?? 0

test('a late end is kept in the row of the lost attempt, and the version of the task changes', async () => {
  const id = await claimed()
  await finish(id, retry(LOST))
  const version = await versionOf(id)
  const refused = kept({ result: '"late"', log: [{ at: AT, message: 'a line' }] })
  expect(await store.recordRefusedMany([late(id, { refused })])).toEqual([null])
  expect(await attemptsOf(id)).toMatchObject([{ attempt: 1, error: LOST, workerId, refused }])
  expect(await versionOf(id)).toBe(version + 1)
})

test('a late end that is written twice is kept once, as it was first written', async () => {
  const id = await claimed()
  await finish(id, retry(LOST))
  await claim(id, 1, otherId)
  for (const result of ['1', '2'])
    expect(await store.recordRefusedMany([late(id, { refused: kept({ result }) })])).toEqual([null])
  expect(await attemptsOf(id)).toMatchObject([{ refused: { result: '1' } }])
})

test('an attempt without a row gets one, also if another worker has an attempt with the same number', async () => {
  const id = await claimed(otherId)
  for (const _ of [1, 2]) await store.recordRefusedMany([late(id, { refused: kept({ result: '1' }) })])
  const error = { name: 'Refused', message: 'refused: another attempt had begun', retryable: true }
  expect(await attemptsOf(id)).toMatchObject([
    { attempt: 1, error, workerId, startedAt: new Date(AT), refused: { result: '1' } },
  ])
  await finish(id, retry(OWN), 1, otherId)
  expect(await attemptsOf(id)).toMatchObject([
    { workerId, error },
    { workerId: otherId, error: { name: 'Error' }, refused: null },
  ])
})

test('two late attempts of one task are kept in one call', async () => {
  const id = await claimed()
  await finish(id, retry(LOST))
  await claim(id, 1)
  await finish(id, retry(LOST), 2)
  const ends = [1, 2].map((attempt) => late(id, { attempt, refused: kept({ result: String(attempt) }) }))
  expect(await store.recordRefusedMany(ends)).toEqual([null, null])
  expect(await attemptsOf(id)).toMatchObject([{ refused: { result: '1' } }, { refused: { result: '2' } }])
})

test('characters that a text of Postgres cannot contain are kept', async () => {
  const id = await claimed()
  await finish(id, retry(LOST))
  const refused = kept({ status: 'RETRY', error: OWN, log: [{ at: AT, message: 'a\0b\ud800' }] })
  await store.recordRefusedMany([late(id, { decision: retry(OWN), refused })])
  expect(await attemptsOf(id)).toMatchObject([{ refused }])
})

test('a late end of a deleted task is dropped', async () => {
  const id = await claimed()
  await system.connections.database.query(sql`delete from tasks where id = ${id}::uuid`)
  expect(await store.recordRefusedMany([late(id), late(newId())])).toEqual([null, null])
  expect(await attemptsOf(id)).toEqual([])
})

test('an end with nothing to keep changes nothing', async () => {
  const id = await claimed()
  await finish(id, retry(LOST))
  const version = await versionOf(id)
  const end = late(id, { decision: released, refused: undefined })
  expect(await store.recordRefusedMany([end])).toEqual([null])
  expect(await attemptsOf(id)).toMatchObject([{ refused: null }])
  expect(await versionOf(id)).toBe(version)
})

test.each<[what: string, decision: Decision, status: string]>([
  ['a result', succeeded, 'SUCCESS'],
  ['an error with a retry', retry(OWN, 60_000), 'RETRY'],
  ['an error without a retry', failure(OWN), 'FAILURE'],
  ['a cancellation', cancelled, 'CANCELLED'],
  ['a cancellation with an error', { ...cancelled, error: OWN }, 'CANCELLED'],
  ['a release', released, 'PENDING'],
])('%s whose first write was accepted is not refused', async (_what, decision, status) => {
  const id = await claimed()
  expect(await finish(id, decision)).toEqual([status])
  // The runner repeats the write because the response was lost.
  expect(await finish(id, decision)).toEqual([null])
  const before = await attemptsOf(id)
  const end = late(id, { decision, refused: kept({ result: '1' }) })
  expect(await store.recordRefusedMany([end])).toEqual([status])
  expect(await attemptsOf(id)).toEqual(before)
  expect(before.every(({ refused }) => refused === null)).toBe(true)
})

test('an accepted retry is not refused after the next attempt has begun', async () => {
  const id = await claimed()
  await finish(id, retry(OWN))
  await claim(id, 1, otherId)
  expect(await store.recordRefusedMany([late(id, { decision: retry(OWN) })])).toEqual(['RETRY'])
})

test('an accepted retry that became a cancellation has this status', async () => {
  const id = await claimed()
  await store.cancelMany([id])
  expect(await finish(id, retry(OWN))).toEqual(['CANCELLED'])
  expect(await store.recordRefusedMany([late(id, { decision: retry(OWN) })])).toEqual(['CANCELLED'])
})

test.each<[what: string, decision: Decision]>([
  ['a result', succeeded],
  ['an error', failure(OWN)],
  ['a cancellation', cancelled],
])('%s after the same attempt has failed as lost is refused', async (_what, decision) => {
  const id = await claimed()
  await finish(id, failure(LOST))
  expect(await store.recordRefusedMany([late(id, { decision })])).toEqual([null])
  expect(await attemptsOf(id)).toMatchObject([{ error: LOST, refused: kept() }])
})

test('the statement finds tasks and attempts by their indexes', async (context) => {
  if (!system.database.isServer) return context.skip('PGlite has other settings')
  const { database } = system.connections
  const ends = [late(await claimed())]
  const plans: string[] = []
  const { run } = database
  database.run = async (statement, columns, options) => {
    const explained = {
      name: `explain_${statement.name}`,
      build: (rows: never) => sql`explain ${statement.build(rows)}`,
    }
    const rows = await run<{ 'QUERY PLAN': string }>(explained, columns, options)
    plans.push(...rows.map((row) => row['QUERY PLAN']))
    return []
  }
  await store.recordRefusedMany(ends).finally(() => {
    database.run = run
  })
  const plan = withTableIndexes(plans.join('\n'), await readTableIndexes(database))
  expect(plan).toMatch(/Index .*(using|on) attempts_task_id_id_pk/)
  expect(plan).toMatch(/Index .*using tasks_pkey/)
  expect(plan).not.toMatch(/Seq Scan on (tasks|attempts)_/)
})
