// Cancelling and retrying tasks by the API.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSystem, type TestSystem } from '../support/system.ts'
import { createGate, createTaskRequests, echo, UNKNOWN_ID } from './support/tasks-api.ts'

const gate = createGate()
let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ definitions: [echo, gate.definition] })
})
afterAll(() => system.stop())

const { waitingTask, finishedTask } = createTaskRequests(() => system)

describe('POST /v1/tasks/{id}/cancel', () => {
  test('a waiting task is cancelled immediately, and a second cancellation gets 200', async () => {
    const { id } = await waitingTask()
    const first = await system.request('POST', `/v1/tasks/${id}/cancel`)
    expect(first).toMatchObject({ status: 200, body: { id, status: 'CANCELLED', is_final: true } })
    const second = await system.request('POST', `/v1/tasks/${id}/cancel`)
    expect(second).toMatchObject({ status: 200, body: { id, status: 'CANCELLED' } })
  })

  test('the cancellation of a running task gets 202, and the task ends as CANCELLED', async () => {
    const { id } = await gate.startTask(system)
    const response = await system.request('POST', `/v1/tasks/${id}/cancel`)
    expect(response).toMatchObject({ status: 202, body: { id, cancel_requested_at: expect.any(String) } })
    expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'CANCELLED' })
    expect((await system.request('POST', `/v1/tasks/${id}/cancel`)).status).toBe(200)
  })

  test('the cancellation of a finished task gets 409 and changes nothing', async () => {
    const { id } = await finishedTask()
    const response = await system.request('POST', `/v1/tasks/${id}/cancel`)
    expect(response).toMatchObject({
      status: 409,
      body: { detail: expect.stringMatching(/SUCCESS.*finished/) },
    })
    expect(await system.task(id)).toMatchObject({ status: 'SUCCESS', cancel_requested_at: null })
  })

  test('an unknown task gets 404', async () => {
    expect((await system.request('POST', `/v1/tasks/${UNKNOWN_ID}/cancel`)).status).toBe(404)
  })
})

describe('POST /v1/tasks/{id}/retry', () => {
  test('a failed task runs again with the same id and all its retries', async () => {
    const name = randomUUID()
    const { id } = await system.submit('gate', { gate: name, isBroken: true }, { max_retries: 0 })
    await system.taskWhenFinal(id)
    gate.keepOpen(name)
    const response = await system.request('POST', `/v1/tasks/${id}/retry`)
    expect(response).toMatchObject({ status: 202, body: { id, failures: 0, error: null } })
    expect(await system.taskWhenFinal(id)).toMatchObject({
      status: 'SUCCESS',
      result: { passed: name },
      error: null,
      attempt: 2,
      failures: 0,
      attempts: [{ attempt: 1, error: { message: 'the gate is broken' } }],
    })
  })

  test('a retried task shows its failed first attempt also before the second one, and after a cancellation', async () => {
    const { id } = await system.submit('gate', { gate: 'x', isBroken: true }, { max_retries: 0 })
    await system.taskWhenFinal(id)
    await system.request('POST', '/v1/queues/default/pause')
    try {
      await system.request('POST', `/v1/tasks/${id}/retry`)
      const attempts = [{ attempt: 1, error: { message: 'the gate is broken' } }]
      expect(await system.task(id)).toMatchObject({ status: 'PENDING', attempt: 1, attempts })
      await system.request('POST', `/v1/tasks/${id}/cancel`)
      expect(await system.task(id)).toMatchObject({ status: 'CANCELLED', attempt: 1, attempts })
    } finally {
      await system.request('POST', '/v1/queues/default/resume')
    }
  })

  test('a retried task that fails again has one failure and two attempts', async () => {
    const { id } = await system.submit('gate', { gate: 'x', isBroken: true }, { max_retries: 0 })
    await system.taskWhenFinal(id)
    await system.request('POST', `/v1/tasks/${id}/retry`)
    const failed = await system.taskWhen(id, ({ attempt, is_final }) => attempt === 2 && is_final)
    expect(failed).toMatchObject({
      status: 'FAILURE',
      failures: 1,
      attempts: [{ attempt: 1 }, { attempt: 2 }],
    })
  })

  test('a cancelled task runs after a retry', async () => {
    const { id } = await system.submit('echo', { a: 1 }, { delay_seconds: 3_600 })
    await system.request('POST', `/v1/tasks/${id}/cancel`)
    const response = await system.request('POST', `/v1/tasks/${id}/retry`)
    expect(response).toMatchObject({ status: 202, body: { id, cancel_requested_at: null } })
    expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS', attempt: 1, result: { a: 1 } })
  })

  test('a retry of a successful, waiting or running task gets 409', async () => {
    for (const { id } of [await finishedTask(), await waitingTask(), await gate.startTask(system)]) {
      const before = await system.task(id)
      expect((await system.request('POST', `/v1/tasks/${id}/retry`)).status).toBe(409)
      expect(await system.task(id)).toEqual(before)
    }
  })

  test('an unknown task gets 404', async () => {
    expect((await system.request('POST', `/v1/tasks/${UNKNOWN_ID}/retry`)).status).toBe(404)
  })
})
