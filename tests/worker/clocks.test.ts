// Clocks of our processes may be wrong: what may run at once is due by the clock of Postgres.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import { sql } from '../../src/store/drizzle.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

const HOUR_MS = 3_600_000
const ahead = () => new Date(Date.now() + HOUR_MS)

let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ worker: false })
})
afterAll(() => system.stop())

test('a callback of a worker whose clock is ahead is due at once', async () => {
  const { callbackStore, database } = system.connections
  const ended = await system.service.submit(
    'reverse',
    { text: 'x' },
    { callbackUrl: 'https://example.com/', queue: 'ended' },
  )
  await database.query(sql`update tasks set status = 'SUCCESS', finished_at = now() where id = ${ended.id}`)
  const callback = newTask('callbacks')
  await callbackStore.createMany([{ ...callback, parentId: ended.id, parentVersion: 0 }])
  expect(await dueIds('callbacks')).toEqual([callback.id])
})

test('a task of an API whose clock is ahead is due at once when its bell could not be rung', async () => {
  const { taskStore, dispatchStore } = system.connections
  const task = newTask('submitted')
  const once = { ...newTask('submitted'), idempotency: { key: newId(), fingerprint: '' } }
  await taskStore.insertMany([task])
  await taskStore.insertOnceMany([once])
  await dispatchStore.clearEnqueued([task, once].map(({ id, queue }) => ({ id, queue, attempt: 0 })))
  expect(await dueIds('submitted')).toEqual([task.id, once.id].toSorted())
})

test('a task with a time of its own waits for it, and one that is old keeps its age', async () => {
  const { taskStore, taskReader } = system.connections
  const later = { ...newTask('later'), runAt: ahead() }
  const old = { ...newTask('old'), createdAt: new Date(Date.now() - HOUR_MS) }
  await taskStore.insertMany([later, old])
  expect(await dueIds('later')).toEqual([])
  expect((await taskReader.find(later.id))?.runAt).toEqual(later.runAt)
  expect((await taskReader.find(old.id))?.runAt).toEqual(old.createdAt)
})

function newTask(queue: string) {
  const policy = { maxRetries: 0, timeoutMs: 1_000, tags: [] }
  return { id: newId(), name: 'reverse', queue, input: {}, createdAt: ahead(), ...policy }
}

async function dueIds(queue: string): Promise<string[]> {
  const refs = await system.connections.dispatchStore.markDueEnqueued(queue, 10)
  return refs.map(({ id }) => id).toSorted()
}
