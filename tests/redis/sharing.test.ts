import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Queue } from '../../src/redis/queue.ts'
import { startWorker } from '../../src/worker/worker.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createTestDefinitions } from '../support/test-definitions.ts'

let system: TestSystem
beforeEach(async () => {
  system = await startSystem({ worker: false, definitions: createTestDefinitions() })
})
afterEach(() => system.stop())

test('no worker sits on a delivery while another is idle', async () => {
  const workers = [system.startWorker({ concurrency: 10 }), system.startWorker({ concurrency: 10 })]
  // Committed together, so that they travel in few deliveries.
  const tasks = await Promise.all(
    Array.from({ length: 200 }, () => system.service.submit('sleep', { ms: 300 })),
  )
  await until(
    () => system.countByStatus(),
    ({ STARTED }) => STARTED === 20,
  )
  await until(
    () => system.countByStatus(),
    ({ SUCCESS }) => SUCCESS === 200,
  )

  const rows = await Promise.all(tasks.map(({ id }) => system.task(id)))
  const share = (id: string) => rows.filter(({ worker_id }) => worker_id === id).length
  // Both worked all the time: neither did less than two of its ten rounds below its half.
  for (const { id } of workers) expect(share(id)).toBeGreaterThanOrEqual(80)
  // Ten rounds of 20 in a row: whatever ran, 20 ran at once, and the whole took ten rounds and not twenty.
  const from = Math.min(...rows.map(({ started_at }) => Date.parse(started_at ?? '')))
  const to = Math.max(...rows.map(({ finished_at }) => Date.parse(finished_at ?? '')))
  expect((to - from) / 300).toBeLessThan(15)
})

test('tasks are started in the order of their submission', async () => {
  const tasks = []
  for (let index = 0; index < 150; index++) tasks.push(await system.service.submit('reverse', { text: 'ab' }))
  system.startWorker({ concurrency: 3 })
  await until(
    () => system.countByStatus(),
    ({ SUCCESS }) => SUCCESS === 150,
  )
  const startedIds = system.announced('task.started').map(({ taskId }) => taskId)
  // Within one claim the order is the database's own; between claims it is that of submission.
  for (const [index, id] of startedIds.entries()) {
    expect(Math.abs(index - tasks.findIndex((task) => task.id === id))).toBeLessThanOrEqual(64)
  }
})

test('a consumer that takes nothing although a task waits is replaced', async () => {
  const { queue } = system.connections
  let isFirst = true
  const deafAtFirst: Queue = {
    ...queue,
    consume(...given) {
      if (!isFirst) return queue.consume(...given)
      isFirst = false
      return { stop: async () => {} }
    },
  }
  const events: string[] = []
  system.events.on('worker.stuck', ({ queue }) => events.push(queue))
  const options = {
    queues: ['default'],
    concurrency: 1,
    version: 'test',
    missingAfterMs: 3_000,
    reconcileMs: 100,
    stuckMs: 500,
  }
  const worker = startWorker(
    { ...system.connections, queue: deafAtFirst },
    system.registry,
    system.events,
    options,
  )
  const task = await system.submit('reverse', { text: 'ab' })
  expect(await system.taskWhenFinal(task.id)).toMatchObject({ status: 'SUCCESS' })
  expect(events).toEqual(['default'])
  await worker.stop(0)
})

test('a worker takes only from its own queues', async () => {
  system.startWorker({ queues: ['slow', 'mail'] })
  const other = await system.submit('reverse', { text: 'ab' })
  const mine = await system.submit('reverse', { text: 'ab' }, { queue: 'mail' })
  expect(await system.taskWhenFinal(mine.id)).toMatchObject({ status: 'SUCCESS', queue: 'mail' })
  expect(await system.task(other.id)).toMatchObject({ status: 'PENDING' })
  system.startWorker()
  expect(await system.taskWhenFinal(other.id)).toMatchObject({ status: 'SUCCESS' })
})
