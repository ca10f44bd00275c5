// Statements that write several tasks lock them in one order, so that two of them cannot deadlock.
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import type { Finish } from '../../src/store/finish.ts'
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
    const worker = { id: newId(), host: 'host', pid: 1, version: 'test', queues: ['default'], concurrency: 1 }
    for (let round = 0; round < 25; round++) {
      const ids = await insertAndClaim(worker.id, 400)
      const retry = { status: 'PENDING' as const, failures: 0, delayMs: 0 }
      const finishes: Finish[] = ids.map((id) => ({ id, attempt: 1, workerId: worker.id, decision: retry }))
      const running = ids.toReversed().map((id) => ({ id, attempt: 1, progress: { fraction: 0.5 } }))
      const outcomes = await Promise.allSettled([
        workerStore.beat({ timeoutMs: 30_000, worker, processed: 0, failed: 0, running }),
        taskStore.finishMany(finishes),
        taskStore.cancelMany(ids.toReversed()),
        workerStore.beat({
          timeoutMs: 30_000,
          worker: { ...worker, id: newId() },
          processed: 0,
          failed: 0,
          running,
        }),
      ])
      expect(outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))).toEqual(
        [],
      )
    }
  },
)

async function insertAndClaim(workerId: string, count: number): Promise<string[]> {
  const { taskStore } = system.connections
  const tasks = Array.from({ length: count }, () => ({
    id: newId(),
    name: 'reverse',
    queue: 'unused',
    input: { text: 'ab' },
    maxRetries: 3,
    timeoutMs: 1_000,
    tags: [],
    createdAt: new Date(),
  }))
  await taskStore.insertMany(tasks)
  const ids = tasks.map(({ id }) => id)
  await taskStore.claimMany(ids.map((id) => ({ id, attempt: 0, workerId, isRepeated: false })))
  return ids
}
