// Cancelling tasks that wait, run or fail, with and without Redis.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createRunRecorder, createTestDefinitions, type RunRecorder } from '../support/test-definitions.ts'

let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ worker: { concurrency: 4 }, definitions: createTestDefinitions() })
})
afterAll(() => system.stop())

test('a waiting task is cancelled immediately and never runs', async () => {
  const task = await system.submit('hold', {}, { delay_seconds: 3_600 })
  const { status, body } = await system.request('POST', `/v1/tasks/${task.id}/cancel`)
  expect(status).toBe(200)
  expect(body).toMatchObject({ status: 'CANCELLED', attempt: 0, is_final: true })
})

test('a running task is aborted and ends as CANCELLED', async () => {
  const task = await system.submit('hold', {})
  await system.taskWhen(task.id, ({ status }) => status === 'STARTED')
  const { status } = await system.request('POST', `/v1/tasks/${task.id}/cancel`)
  expect(status).toBe(202)
  const done = await system.taskWhenFinal(task.id)
  expect(done).toMatchObject({ status: 'CANCELLED', attempt: 1, failures: 0, error: null })
})

test('a task that fails after its cancellation was requested is cancelled and not retried', async () => {
  const task = await system.submit('hold', {})
  const { attempt, worker_id: workerId } = await system.taskWhen(
    task.id,
    ({ status }) => status === 'STARTED',
  )
  const { taskStore } = system.connections
  await taskStore.cancelMany([task.id])
  const error = { name: 'Error', message: 'failed first', retryable: true }
  const retry = { status: 'RETRY' as const, error, failures: 1, delayMs: 0 }
  const statuses = await taskStore.finishMany([{ id: task.id, attempt, workerId, decision: retry }])
  expect(statuses).toEqual(['CANCELLED'])
  expect(await system.task(task.id)).toMatchObject({ status: 'CANCELLED', is_final: true })
})

test('without Redis the worker learns of a cancellation from its heartbeat', async (context) => {
  if (!system.database.isServer)
    return context.skip('the recorder needs a second connection, which PGlite has not')
  const recorder: RunRecorder = await createRunRecorder(system.database.url)
  const own = await startSystem({ worker: {}, definitions: createTestDefinitions(recorder) })
  try {
    const task = await own.submit('hold', {})
    await own.taskWhen(task.id, ({ status }) => status === 'STARTED')
    process.kill(own.redis.pid, 'SIGKILL')
    await until(
      async () => own.connections.queue.isReady('default'),
      (isReady) => !isReady,
    )
    await own.request('POST', `/v1/tasks/${task.id}/cancel`)
    expect(await own.taskWhenFinal(task.id)).toMatchObject({ status: 'CANCELLED' })
    const notes = (await recorder.all()).map(({ note }) => note)
    expect(notes).toContain('aborted: cancelled')
  } finally {
    await own.stop()
    await recorder.close()
  }
})
