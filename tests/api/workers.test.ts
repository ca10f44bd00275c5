// GET /v1/workers: the list of running workers.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createTaskRequests } from './support/tasks-api.ts'

let system: TestSystem
beforeAll(async () => {
  system = await startSystem()
})
afterAll(() => system.stop())

const { get } = createTaskRequests(() => system)

test('GET /v1/workers contains a worker until it has stopped', async () => {
  const worker = system.startWorker({ queues: ['watched', 'second'], concurrency: 7 })
  const { data } = await workersWhen(worker.id, true)
  expect(data.find(({ id }) => id === worker.id)).toMatchObject({
    pid: process.pid,
    version: 'test',
    queues: ['watched', 'second'],
    concurrency: 7,
    running: 0,
    is_alive: true,
  })
  await worker.stop(0)
  await workersWhen(worker.id, false)
})

function workersWhen(workerId: string, isListed: boolean) {
  return until(
    async () => (await get('/v1/workers')).body as { data: { id: string }[] },
    ({ data }) => data.some(({ id }) => id === workerId) === isListed,
  )
}
