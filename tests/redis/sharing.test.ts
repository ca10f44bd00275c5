// Distribution of deliveries over workers and queues.
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

test('two workers share the tasks evenly, and neither is idle while tasks wait', async () => {
  const workers = [system.startWorker({ concurrency: 10 }), system.startWorker({ concurrency: 10 })]
  // Submitted together, so that a few deliveries contain all of them.
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
  // Each worker's half is 100 tasks, ten rounds of ten. A worker may run two rounds less than that.
  for (const { id } of workers) expect(share(id)).toBeGreaterThanOrEqual(80)
  // Two workers run 20 tasks at the same time, so 200 tasks take ten rounds; one worker would take twenty.
  const from = Math.min(...rows.map(({ started_at }) => Date.parse(started_at ?? '')))
  const to = Math.max(...rows.map(({ finished_at }) => Date.parse(finished_at ?? '')))
  expect((to - from) / 300).toBeLessThan(15)
})

test('tasks are started in the order of submission', async () => {
  const tasks = []
  for (let index = 0; index < 150; index++) tasks.push(await system.service.submit('reverse', { text: 'ab' }))
  system.startWorker({ concurrency: 3 })
  await until(
    () => system.countByStatus(),
    ({ SUCCESS }) => SUCCESS === 150,
  )
  const startedIds = system.emitted('task.started').map(({ taskId }) => taskId)
  // Postgres decides the order within one claim. Claims are in the order of submission.
  for (const [index, id] of startedIds.entries()) {
    expect(Math.abs(index - tasks.findIndex((task) => task.id === id))).toBeLessThanOrEqual(64)
  }
})

test('a consumer that fetches nothing while a task is waiting is replaced', async () => {
  const { queue } = system.connections
  let isFirst = true
  const stuckAtFirst: Queue = {
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
    { ...system.connections, queue: stuckAtFirst },
    system.registry,
    system.events,
    options,
  )
  const task = await system.submit('reverse', { text: 'ab' })
  expect(await system.taskWhenFinal(task.id)).toMatchObject({ status: 'SUCCESS' })
  expect(events).toEqual(['default'])
  await worker.stop(0)
})

test('a worker fetches only from its own queues', async () => {
  system.startWorker({ queues: ['slow', 'mail'] })
  const defaultTask = await system.submit('reverse', { text: 'ab' })
  const mailTask = await system.submit('reverse', { text: 'ab' }, { queue: 'mail' })
  expect(await system.taskWhenFinal(mailTask.id)).toMatchObject({ status: 'SUCCESS', queue: 'mail' })
  expect(await system.task(defaultTask.id)).toMatchObject({ status: 'PENDING' })
  system.startWorker()
  expect(await system.taskWhenFinal(defaultTask.id)).toMatchObject({ status: 'SUCCESS' })
})
