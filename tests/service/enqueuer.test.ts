// The enqueue after a commit, and the signal after a cancel request. Slower loops repair both if they fail,
// so these tests start no such loop.
import { expect, onTestFinished, test } from 'vitest'
import { sql } from '../../src/store/drizzle.ts'
import { startSystem, until } from '../support/system.ts'
import { createTestDefinitions } from '../support/test-definitions.ts'

test('a task whose enqueue fails is marked as not enqueued', async () => {
  const system = await startSystem({ worker: false })
  onTestFinished(() => system.stop())
  const { queue, database } = system.connections
  await queue.prepare('default')
  await system.service.submit('reverse', { text: 'enqueued' })
  await system.service.whenEnqueued()
  process.kill(system.redis.pid, 'SIGKILL')
  await until(
    async () => queue.isReady('default'),
    (isReady) => !isReady,
  )
  await system.service.submit('reverse', { text: 'not enqueued' })
  await system.service.whenEnqueued()
  const rows = await database.query<{ text: string; isMarked: boolean }>(sql`
    select input ->> 'text' as text, enqueued_at is not null as "isMarked" from tasks order by id`)
  expect(rows).toEqual([
    { text: 'enqueued', isMarked: true },
    { text: 'not enqueued', isMarked: false },
  ])
})

test('a cancel request reaches the worker by a signal, without waiting for a heartbeat', async () => {
  // The second heartbeat would come after the limit of the test.
  const heartbeatMs = 600_000
  const system = await startSystem({
    worker: { heartbeatMs, missingAfterMs: 3 * heartbeatMs },
    definitions: createTestDefinitions(),
  })
  onTestFinished(() => system.stop())
  const task = await system.submit('hold', {})
  await system.taskWhen(task.id, ({ status }) => status === 'STARTED')
  await system.request('POST', `/v1/tasks/${task.id}/cancel`)
  expect(await system.taskWhenFinal(task.id)).toMatchObject({ status: 'CANCELLED' })
})
