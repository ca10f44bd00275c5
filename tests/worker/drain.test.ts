// Draining workers: they fetch nothing, finish their running tasks, and fetch again after a resume.
import { afterEach, expect, test } from 'vitest'
import type { QueueView } from '../../src/api/system/queue-routes.ts'
import type { WorkerView } from '../../src/api/system/worker-routes.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createTestDefinitions } from '../support/test-definitions.ts'

let system: TestSystem
afterEach(() => system.stop())

const workers = async () =>
  ((await system.request('GET', '/v1/workers')) as { body: { data: WorkerView[] } }).body.data

async function startWithWorker(): Promise<WorkerView> {
  system = await startSystem({ worker: { concurrency: 2 }, definitions: createTestDefinitions() })
  const [worker] = await until(workers, ({ length }) => length === 1)
  if (!worker) throw new Error('there is no worker')
  return worker
}

async function post(worker: WorkerView, verb: 'drain' | 'resume') {
  return (await system.request('POST', `/v1/workers/${worker.id}/${verb}`)) as {
    status: number
    body: WorkerView
  }
}

/**
 * Waits for two heartbeats. The first one reads the drain state; between both the worker could fetch if it
 * did not obey.
 */
async function twoHeartbeats() {
  for (const _ of [1, 2]) {
    const afterMs = Date.now()
    await until(workers, ([worker]) => Date.parse(worker?.last_beat_at ?? '') > afterMs)
  }
}

test('a draining worker fetches nothing, finishes its running tasks, and continues after a resume', async () => {
  const worker = await startWithWorker()
  const held = await system.submit('hold', {})
  await system.taskWhen(held.id, ({ status }) => status === 'STARTED')

  const drained = await post(worker, 'drain')
  expect([drained.status, drained.body.is_draining, drained.body.is_alive]).toEqual([200, true, true])
  await twoHeartbeats()
  const tasks = await Promise.all(Array.from({ length: 10 }, () => system.submit('reverse', { text: 'ab' })))
  await system.request('POST', `/v1/tasks/${held.id}/cancel`)
  expect(await system.taskWhenFinal(held.id)).toMatchObject({ status: 'CANCELLED' })
  await twoHeartbeats()
  for (const { id } of tasks) expect(await system.task(id)).toMatchObject({ status: 'PENDING', attempt: 0 })
  // The worker still sends heartbeats while it is drained.
  expect(await workers()).toMatchObject([{ id: worker.id, is_alive: true, is_draining: true, running: 0 }])

  expect((await post(worker, 'resume')).body.is_draining).toBe(false)
  for (const { id } of tasks) expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS' })
})

test('a draining worker is not counted among the workers of its queue', async () => {
  const worker = await startWithWorker()
  const workerCount = async () => {
    const { body } = (await system.request('GET', '/v1/queues')) as { body: { data: QueueView[] } }
    return body.data.find(({ name }) => name === 'default')?.workers
  }
  expect(await workerCount()).toBe(1)
  await post(worker, 'drain')
  expect(await workerCount()).toBe(0)
  await post(worker, 'resume')
  expect(await workerCount()).toBe(1)
})

test('a second drain request changes nothing, and a draining worker can be stopped', async () => {
  system = await startSystem({ worker: false, definitions: createTestDefinitions() })
  const started = system.startWorker()
  const [worker] = await until(workers, ({ length }) => length === 1)
  if (!worker) throw new Error('there is no worker')
  await post(worker, 'drain')
  expect((await post(worker, 'drain')).body).toMatchObject({ is_draining: true })
  await twoHeartbeats()
  await started.stop(0)
  expect(await until(workers, ({ length }) => length === 0)).toEqual([])
})

test('a drain request for an unknown worker gets 404', async () => {
  await startWithWorker()
  for (const id of ['0189a5d0-ac96-474b-bcce-b302099a8057', 'none', '%00']) {
    const { status, body } = await system.request('POST', `/v1/workers/${id}/drain`)
    expect([status, (body as { type: string }).type]).toEqual([
      404,
      expect.stringContaining('unknown_worker'),
    ])
  }
})
