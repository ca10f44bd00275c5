// A worker that drains: it takes no more, ends what it runs, and takes again when it is told to.
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

async function ask(worker: WorkerView, verb: 'drain' | 'resume') {
  return (await system.request('POST', `/v1/workers/${worker.id}/${verb}`)) as {
    status: number
    body: WorkerView
  }
}

/** The worker has heard what was asked of it, and has had the time to do otherwise. */
async function twoBeats() {
  for (const _ of [1, 2]) {
    const asked = Date.now()
    await until(workers, ([worker]) => Date.parse(worker?.last_beat_at ?? '') > asked)
  }
}

test('a draining worker takes nothing more, ends what it runs, and goes on after the resume', async () => {
  const worker = await startWithWorker()
  const held = await system.submit('hold', {})
  await system.taskWhen(held.id, ({ status }) => status === 'STARTED')

  const drained = await ask(worker, 'drain')
  expect([drained.status, drained.body.is_draining, drained.body.is_alive]).toEqual([200, true, true])
  await twoBeats()
  const tasks = await Promise.all(Array.from({ length: 10 }, () => system.submit('reverse', { text: 'ab' })))
  await system.request('POST', `/v1/tasks/${held.id}/cancel`)
  expect(await system.taskWhenFinal(held.id)).toMatchObject({ status: 'CANCELLED' })
  await twoBeats()
  for (const { id } of tasks) expect(await system.task(id)).toMatchObject({ status: 'PENDING', attempt: 0 })
  // Drained it is, and not dead: what it is, it says.
  expect(await workers()).toMatchObject([{ id: worker.id, is_alive: true, is_draining: true, running: 0 }])

  expect((await ask(worker, 'resume')).body.is_draining).toBe(false)
  for (const { id } of tasks) expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS' })
})

test('a queue whose only worker drains has none', async () => {
  const worker = await startWithWorker()
  const served = async () => {
    const { body } = (await system.request('GET', '/v1/queues')) as { body: { data: QueueView[] } }
    return body.data.find(({ name }) => name === 'default')?.workers
  }
  expect(await served()).toBe(1)
  await ask(worker, 'drain')
  expect(await served()).toBe(0)
  await ask(worker, 'resume')
  expect(await served()).toBe(1)
})

test('asking twice changes nothing, and a draining worker stops in order', async () => {
  system = await startSystem({ worker: false, definitions: createTestDefinitions() })
  const started = system.startWorker()
  const [worker] = await until(workers, ({ length }) => length === 1)
  if (!worker) throw new Error('there is no worker')
  await ask(worker, 'drain')
  expect((await ask(worker, 'drain')).body).toMatchObject({ is_draining: true })
  await twoBeats()
  await started.stop(0)
  expect(await until(workers, ({ length }) => length === 0)).toEqual([])
})

test('a worker that nobody knows cannot drain', async () => {
  await startWithWorker()
  for (const id of ['0189a5d0-ac96-474b-bcce-b302099a8057', 'none', '%00']) {
    const { status, body } = await system.request('POST', `/v1/workers/${id}/drain`)
    expect([status, (body as { type: string }).type]).toEqual([
      404,
      expect.stringContaining('unknown_worker'),
    ])
  }
})
