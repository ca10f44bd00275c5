// Wrong clocks of processes: a task that may run immediately is due by the clock of Postgres.
import { afterAll, beforeAll, expect, inject, onTestFinished, test, vi } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import { sql } from '../../src/store/drizzle.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createTestDefinitions } from '../support/test-definitions.ts'

const HOUR_MS = 3_600_000
const inOneHour = () => new Date(Date.now() + HOUR_MS)

let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ worker: false })
})
afterAll(() => system.stop())

test('a callback created by a worker whose clock is ahead is due immediately', async () => {
  const { callbackStore, database } = system.connections
  const finished = await system.service.submit(
    'reverse',
    { text: 'x' },
    { callbackUrl: 'https://example.com/', queue: 'finished' },
  )
  await database.query(
    sql`update tasks set status = 'SUCCESS', finished_at = now() where id = ${finished.id}`,
  )
  const callback = newTask('callbacks')
  await callbackStore.createMany([{ ...callback, parentId: finished.id, parentVersion: 0 }])
  expect(await dueIds('callbacks')).toEqual([callback.id])
})

test('a task that an API with a clock ahead could not enqueue is due immediately', async () => {
  const { taskStore, dispatchStore } = system.connections
  const task = newTask('submitted')
  const once = { ...newTask('submitted'), idempotency: { key: newId(), fingerprint: newId() } }
  await taskStore.insertMany([task])
  await taskStore.insertOnceMany([once])
  await dispatchStore.clearEnqueued([task, once].map(({ id, queue }) => ({ id, queue, attempt: 0 })))
  expect(await dueIds('submitted')).toEqual([task.id, once.id].toSorted())
})

// Needs a server: PGlite reads the clock of this process, which the test changes.
test.skipIf(inject('postgresUrl') === null).each([
  ['ahead', 60_000],
  ['behind', -60_000],
])('tasks that an API with a clock that is %s has enqueued are not enqueued again', async (_, skewMs) => {
  const skewed = await startSystem({ worker: false, definitions: createTestDefinitions() })
  onTestFinished(() => skewed.stop())
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + skewMs })
  try {
    await Promise.all(Array.from({ length: 200 }, () => skewed.service.submit('sleep', { ms: 30 })))
    await skewed.service.whenEnqueued()
  } finally {
    vi.useRealTimers()
  }
  await skewed.connections.database.query(sql`update tasks set enqueued_at = now()`)
  const { queue } = skewed.connections
  const { waitingMs } = await queue.oldest('default')
  expect(Math.abs(Date.now() - (waitingMs ?? 0))).toBeLessThan(30_000)
  // Two slots need 3 s for all tasks, and each round of the reconciler judges those that wait.
  skewed.startWorker({ concurrency: 2, lostAfterMs: 1_000, reconcileMs: 100 })
  await until(
    () => skewed.countByStatus(),
    ({ SUCCESS }) => SUCCESS === 200,
  )
  expect(skewed.emitted('tasks.enqueued')).toEqual([])
})

test('a delayed task is due at its own time, and an old task at its creation time', async () => {
  const { taskStore, taskReader } = system.connections
  const later = { ...newTask('later'), runAt: inOneHour() }
  const old = { ...newTask('old'), createdAt: new Date(Date.now() - HOUR_MS) }
  await taskStore.insertMany([later, old])
  expect(await dueIds('later')).toEqual([])
  expect((await taskReader.find(later.id))?.runAt).toEqual(later.runAt)
  expect((await taskReader.find(old.id))?.runAt).toEqual(old.createdAt)
})

function newTask(queue: string) {
  const policy = { maxRetries: 0, timeoutMs: 1_000, tags: [] }
  return { id: newId(), name: 'reverse', queue, input: {}, createdAt: inOneHour(), ...policy }
}

async function dueIds(queue: string): Promise<string[]> {
  const refs = await system.connections.dispatchStore.markDueEnqueued(queue, 10)
  return refs.map(({ id }) => id).toSorted()
}
