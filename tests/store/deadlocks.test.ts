// Statements that write several tasks lock them in one order, so that two of them cannot deadlock.
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import { PRIORITIES } from '../../src/definitions/limits.ts'
import { sql } from '../../src/store/drizzle.ts'
import type { Finish } from '../../src/store/finish.ts'
import { createNewTasks } from '../support/new-tasks.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ worker: false })
})
afterAll(() => system.stop())

// PGlite has one connection, so its statements never run at the same time.
test.skipIf(inject('postgresUrl') === null)(
  'a heartbeat and the results of its tasks do not deadlock, whatever their order',
  async () => {
    const { taskStore, workerStore } = system.connections
    const worker = {
      id: newId(),
      host: 'host',
      pid: 1,
      version: 'test',
      queues: ['default'],
      concurrency: 1,
      isolatedProcesses: 0,
    }
    for (let round = 0; round < 25; round++) {
      const ids = await insertAndClaim(worker.id, 400)
      const retry = { status: 'PENDING' as const, failures: 0, delayMs: 0 }
      const finishes: Finish[] = ids.map((id) => ({ id, attempt: 1, workerId: worker.id, decision: retry }))
      const running = ids.toReversed().map((id) => ({ id, attempt: 1, progress: { fraction: 0.5 } }))
      const outcomes = await Promise.allSettled([
        workerStore.beat({ timeoutMs: 30_000, worker, processed: 0, failed: 0, leaked: 0, running }),
        taskStore.finishMany(finishes),
        taskStore.cancelMany(ids.toReversed()),
        workerStore.beat({
          timeoutMs: 30_000,
          worker: { ...worker, id: newId() },
          processed: 0,
          failed: 0,
          leaked: 0,
          running,
        }),
      ])
      expect(outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))).toEqual(
        [],
      )
    }
  },
)

test.skipIf(inject('postgresUrl') === null)(
  'claims, retries and cleared marks of the same tasks do not deadlock, whatever their order',
  async () => {
    const { taskStore, dispatchStore } = system.connections
    for (let round = 0; round < 25; round++) {
      const tasks = createNewTasks(400)
      await taskStore.insertMany(tasks)
      const ids = tasks.map(({ id }) => id)
      const claims = ids.map((id) => ({ id, attempt: 0, workerId: newId(), isRepeated: false }))
      const references = ids.map((id) => ({ id, attempt: 0, queue: 'unused' }))
      const outcomes = await Promise.allSettled([
        taskStore.claimMany(claims),
        taskStore.claimMany(claims.toReversed()),
        dispatchStore.clearEnqueued(references.toReversed()),
        taskStore.cancelMany(ids),
      ])
      const retried = await Promise.allSettled([
        taskStore.retryMany(ids.toReversed()),
        taskStore.retryMany(ids),
        dispatchStore.clearEnqueued(references.toReversed()),
      ])
      expect([...outcomes, ...retried].filter(({ status }) => status === 'rejected')).toEqual([])
    }
  },
)

test.skipIf(inject('postgresUrl') === null)(
  'submissions, claims, ends and cancellations of held tasks do not deadlock, whatever their order',
  async () => {
    const { taskStore, limitStore } = system.connections
    await limitStore.writeDefinitions([
      { name: 'held', limits: { concurrency: 2, rate: null }, hasKeys: true },
    ])
    const createHeld = (count: number) =>
      createNewTasks(count).map((task, index) => ({
        ...task,
        name: 'held',
        hold: {
          concurrencyKey: `key ${index % 7}`,
          rateKey: '',
          priority: PRIORITIES[index % 3] ?? 'normal',
        },
      }))
    const [first, second] = [newId(), newId()]
    const claim = (workerId: string) =>
      limitStore.claim(
        { queue: 'unused', isIsolated: false, names: ['held'] },
        { reserve: () => 100, workerId, startNumber: 0 },
      )
    const retry = { status: 'PENDING' as const, failures: 0, delayMs: 0 }
    for (let round = 0; round < 25; round++) {
      const tasks = createHeld(100)
      await taskStore.insertMany(tasks)
      const started = await claim(first)
      expect(started.tasks.length).toBeGreaterThan(0)
      const ids = [...started.tasks, ...tasks].map(({ id }) => id)
      const waiting = tasks.filter(({ id }) => !started.tasks.some((task) => task.id === id))
      const outcomes = await Promise.allSettled([
        taskStore.finishMany(
          started.tasks.map(({ id, attempt }) => ({
            id,
            attempt,
            workerId: first,
            decision: retry,
            isHeld: true,
          })),
        ),
        limitStore.hold(waiting.toReversed().map((task) => ({ ...task, attempt: 0 }))),
        taskStore.cancelMany(ids.toReversed()),
        claim(second),
        taskStore.insertMany(createHeld(20).toReversed()),
        claim(first),
      ])
      expect(outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))).toEqual(
        [],
      )
      await system.connections.database.query(sql`delete from held_tasks`)
    }
  },
)

async function insertAndClaim(workerId: string, count: number): Promise<string[]> {
  const { taskStore } = system.connections
  const tasks = createNewTasks(count)
  await taskStore.insertMany(tasks)
  const ids = tasks.map(({ id }) => id)
  await taskStore.claimMany(ids.map((id) => ({ id, attempt: 0, workerId, isRepeated: false })))
  return ids
}
