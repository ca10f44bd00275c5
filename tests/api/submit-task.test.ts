// Submitting tasks by the API: the response, the options, and inputs that are kept or rejected.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TaskView } from '../../src/api/tasks/task-view.ts'
import { startSystem, type TestSystem } from '../support/system.ts'
import { createGate, createTaskRequests, echo, UNSERVED } from './support/tasks-api.ts'

const gate = createGate()
let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ definitions: [echo, gate.definition] })
})
afterAll(() => system.stop())

const { post, finishedTask } = createTaskRequests(() => system)

describe('POST /v1/tasks/{name}', () => {
  test('responds with 202, the task, its Location and Retry-After', async () => {
    const { status, headers, body } = await system.request('POST', '/v1/tasks/reverse', {
      input: { text: 'abc' },
      options: UNSERVED,
    })
    const task = body as TaskView
    expect(status).toBe(202)
    expect(headers.get('Retry-After')).toBe('1')
    expect(headers.get('Location')).toBe(`/v1/tasks/${task.id}`)
    expect(task.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(task).toMatchObject({
      name: 'reverse',
      queue: UNSERVED.queue,
      status: 'PENDING',
      input: { text: 'abc' },
      result: null,
      error: null,
      progress: { fraction: 0, message: null },
      attempt: 0,
      failures: 0,
      max_retries: 3,
      tags: [],
      run_at: task.created_at,
      started_at: null,
      finished_at: null,
      worker_id: null,
      cancel_requested_at: null,
      replayed_from: null,
      is_final: false,
      links: { self: `/v1/tasks/${task.id}`, cancel: `/v1/tasks/${task.id}/cancel` },
    })
    expect(await system.task(task.id)).toEqual({ ...task, waits_for: null, attempts: [] })
  })

  test.each([
    'application/json',
    'application/json; charset=utf-8',
    'Application/JSON;charset=UTF-8',
    'application/json ;charset=utf-8',
    'application/vnd.api+json',
  ])('accepts JSON with the Content-Type %s', async (type) => {
    const body = JSON.stringify({ input: { text: 'abc' } })
    expect((await post('/v1/tasks/reverse', body, type)).status).toBe(202)
  })

  test('run_at: the task does not start before its time', async () => {
    const runAt = new Date(Date.now() + 3_600_000).toISOString()
    const offset = runAt.replace('Z', '+00:00')
    const task = await system.submit('reverse', { text: 'later' }, { run_at: offset })
    expect(task).toMatchObject({ status: 'PENDING', run_at: runAt })
    // This task was submitted later and has finished, while the delayed task still waits.
    await system.taskWhenFinal((await system.submit('reverse', { text: 'now' })).id)
    expect(await system.task(task.id)).toMatchObject({ status: 'PENDING', attempt: 0, run_at: runAt })
  })

  test('run_at: a task with a past time starts immediately', async () => {
    const task = await system.submit('reverse', { text: 'abc' }, { run_at: '2001-01-01T00:00:00Z' })
    expect(await system.taskWhenFinal(task.id)).toMatchObject({ status: 'SUCCESS', run_at: task.created_at })
  })

  test('delay_seconds: the task does not start before the delay has passed', async () => {
    const task = await system.submit('reverse', { text: 'abc' }, { delay_seconds: 0.5 })
    expect(Date.parse(task.run_at) - Date.parse(task.created_at)).toBeGreaterThan(400)
    const done = await system.taskWhenFinal(task.id)
    expect(done.status).toBe('SUCCESS')
    expect(Date.parse(done.started_at ?? '')).toBeGreaterThanOrEqual(Date.parse(task.run_at))
  })

  test('max_retries: a task with 0 retries ends as FAILURE after one failed attempt', async () => {
    const task = await system.submit('gate', { gate: 'x', isBroken: true }, { max_retries: 0 })
    expect(await system.taskWhenFinal(task.id)).toMatchObject({
      status: 'FAILURE',
      max_retries: 0,
      attempt: 1,
      failures: 1,
      error: { message: 'the gate is broken', retryable: true },
      attempts: [{ attempt: 1, error: { message: 'the gate is broken' } }],
    })
  })

  test('timeout_seconds: an attempt that takes longer is ended', async () => {
    const options = { timeout_seconds: 0.1, max_retries: 0 }
    const task = await system.submit('gate', { gate: 'never opened' }, options)
    expect(task.timeout_seconds).toBe(0.1)
    expect(await system.taskWhenFinal(task.id)).toMatchObject({
      status: 'FAILURE',
      error: { name: 'TimeoutError', message: 'Timed out: an attempt may take 0.1 s' },
    })
  })

  test('queue: only workers of the queue run the task', async () => {
    const queue = 'side-queue'
    const task = await system.submit('reverse', { text: 'abc' }, { queue })
    await system.taskWhenFinal((await system.submit('reverse', { text: 'main' })).id)
    expect(await system.task(task.id)).toMatchObject({ status: 'PENDING', queue })
    const worker = system.startWorker({ queues: [queue] })
    expect(await system.taskWhenFinal(task.id)).toMatchObject({ status: 'SUCCESS', worker_id: worker.id })
    await worker.stop(0)
  })

  test('tags: the tags are returned in their order', async () => {
    const tags = ['tenant:7', 'größe', '🐝', 'a b']
    const task = await system.submit('reverse', { text: 'abc' }, { ...UNSERVED, tags })
    expect(await system.task(task.id)).toMatchObject({ tags })
  })

  test.each([
    ['#/options/delay_seconds', { delay_seconds: -1 }],
    ['#/options/delay_seconds', { delay_seconds: '5' }],
    ['#/options/run_at', { run_at: 'tomorrow' }],
    ['#/options/run_at', { run_at: '2030-02-30T00:00:00Z' }],
    ['#/options/max_retries', { max_retries: 1.5 }],
    ['#/options/max_retries', { max_retries: 101 }],
    ['#/options/timeout_seconds', { timeout_seconds: 0 }],
    ['#/options/queue', { queue: 'Not A Queue' }],
    ['#/options/tags/1', { tags: ['fine', 'bell\u0007'] }],
    ['#/options/tags', { tags: Array.from({ length: 21 }, String) }],
    ['#/options', { run_at: '2030-01-01T00:00:00Z', delay_seconds: 1 }],
    ['#/options/priority', { priority: 1 }],
  ])('rejects invalid options with a pointer to %s: %j', async (pointer, options) => {
    const { status, body } = await system.request('POST', '/v1/tasks/reverse', {
      input: { text: 'abc' },
      options,
    })
    expect({ status, body }).toMatchObject({ status: 422, body: { errors: [{ pointer }] } })
  })

  test.each([
    '{"b":1,"a":{"z":null,"y":[]},"B":{}}',
    '"grüße 🐝 \\u202e \\u2028 العربية"',
    '"\\u0000 and \\u001f"',
    '["\\ud83d", "\\udc1d\\ud83d"]',
    '{"__proto__":{"isAdmin":true},"constructor":{"prototype":1},"toString":"x"}',
    '[1e300, -1.5e-7, 0.1, 0.12345678901234567, 9007199254740991, 12345678901234567000, 1e21]',
    '[true, false, null, "", [], {}]',
    '"; drop table tasks; -- \' \\" \\\\ $1 %s"',
    'null',
    '0',
  ])('input and result are returned unchanged: %s', async (input) => {
    const response = await post('/v1/tasks/echo', `{"input":${input}}`)
    const { id } = response.body as TaskView
    const done = await system.taskWhenFinal(id)
    const expected = JSON.stringify(JSON.parse(input))
    // Compare the texts, because toEqual ignores the order of keys and __proto__.
    expect(done.status).toBe('SUCCESS')
    expect(JSON.stringify((response.body as TaskView).input)).toBe(expected)
    expect(JSON.stringify(done.input)).toBe(expected)
    expect(JSON.stringify(done.result)).toBe(expected)
  })
})

test.each([
  ['#/input', '9007199254740993'],
  ['#/input/0', '[-12345678901234567890, "12345678901234567890", 1]'],
  ['#/input/a~1b/c', '{"a/b": {"c": 1e999}}'],
  ['#/input/x', '{"x": 1234567890.12345678901e9}'],
])('a number that a double would change is rejected with a pointer to %s: %s', async (pointer, input) => {
  const response = await post('/v1/tasks/echo', `{"input":${input}}`)
  const detail = 'is too large to be kept as it is written: send it as a string'
  expect(response).toMatchObject({ status: 422, body: { errors: [{ pointer, detail }] } })
})

test('a replay with a number that a double would change is rejected, and one with a string is accepted', async () => {
  const { id } = await finishedTask()
  const replay = (value: string) => post(`/v1/tasks/${id}/replay`, `{"input":{"text":"a","id":${value}}}`)
  expect(await replay('9007199254740993')).toMatchObject({
    status: 422,
    body: { errors: [{ pointer: '#/input/id' }] },
  })
  expect((await replay('"9007199254740993"')).status).toBe(202)
})
