// The tasks API: definitions, submit, read, wait, list, cancel, retry, workers, statistics.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import type { DefinitionView, TaskView } from '../../src/api/tasks/task-view.ts'
import { defineTask } from '../../src/definitions/define.ts'
import { createSignals, type Signals } from '../../src/redis/signals.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'

const UNKNOWN_ID = '01890000-0000-7000-8000-000000000000'
const NOBODY = { queue: 'nobody-works-here' }

const echo = defineTask({
  name: 'echo',
  title: 'Echo',
  description: 'Gives back whatever it was given.',
  input: z.unknown(),
  output: z.unknown(),
  example: {},
  run: async (input) => input,
})

const isOpen = new Set<string>()
const doors = new Map<string, () => void>()
const gate = defineTask({
  name: 'gate',
  title: 'Gate',
  description: 'Runs until it is opened; fails when it is aborted, and at once when the gate is broken.',
  input: z.object({ gate: z.string(), isBroken: z.boolean().default(false) }),
  output: z.object({ passed: z.string() }),
  example: { gate: 'a', isBroken: false },
  run: ({ gate: name, isBroken }, { signal }) =>
    new Promise((resolve, reject) => {
      const pass = () => resolve({ passed: name })
      if (isOpen.has(name)) return pass()
      if (isBroken) return reject(new Error('the gate is broken'))
      doors.set(name, pass)
      signal.addEventListener('abort', () => reject(signal.reason))
    }),
})

let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ definitions: [echo, gate] })
})
afterAll(() => system.stop())

describe('GET /v1/definitions', () => {
  test('tells everything that a form or a client needs to know', async () => {
    const { data } = (await get('/v1/definitions')).body as { data: DefinitionView[] }
    const names = data.map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(['notify', 'email', 'reverse', 'sentiment', 'divide']))
    expect(data.find(({ name }) => name === 'divide')).toMatchObject({
      title: expect.any(String),
      description: expect.any(String),
      queue: 'default',
      max_retries: 3,
      timeout_seconds: 300,
      input_schema: { type: 'object', properties: { x: { type: 'number' } }, required: ['x', 'y'] },
      output_schema: { properties: { quotient: { type: 'number' } } },
      example: { x: 10, y: 4 },
    })
  })

  test('every example is taken as it stands', async () => {
    const { data } = (await get('/v1/definitions')).body as { data: DefinitionView[] }
    for (const { name, example } of data) {
      expect(await system.submit(name, example, NOBODY)).toMatchObject({ name, input: example })
    }
  })

  test('is 304 for whoever has it already', async () => {
    const tag = (await get('/v1/definitions')).headers.get('ETag') ?? ''
    expect(tag).toMatch(/^"[\w-]+"$/)
    const again = await get('/v1/definitions', { 'If-None-Match': tag })
    expect(again).toMatchObject({ status: 304, body: '' })
    expect(again.headers.get('ETag')).toBe(tag)
    expect((await get('/v1/definitions', { 'If-None-Match': '"another"' })).status).toBe(200)
  })
})

describe('POST /v1/tasks/{name}', () => {
  test('answers 202 with the task, where it can be read and when to ask', async () => {
    const { status, headers, body } = await system.request('POST', '/v1/tasks/reverse', {
      input: { text: 'abc' },
      options: NOBODY,
    })
    const task = body as TaskView
    expect(status).toBe(202)
    expect(headers.get('Retry-After')).toBe('1')
    expect(headers.get('Location')).toBe(`/v1/tasks/${task.id}`)
    expect(task.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(task).toMatchObject({
      name: 'reverse',
      queue: NOBODY.queue,
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
    expect(await system.task(task.id)).toEqual({ ...task, attempts: [] })
  })

  test.each([
    'application/json',
    'application/json; charset=utf-8',
    'Application/JSON;charset=UTF-8',
    'application/json ;charset=utf-8',
    'application/vnd.api+json',
  ])('takes JSON that is called %s', async (type) => {
    const body = JSON.stringify({ input: { text: 'abc' } })
    expect((await post('/v1/tasks/reverse', body, type)).status).toBe(202)
  })

  test('run_at: waits for its moment', async () => {
    const runAt = new Date(Date.now() + 3_600_000).toISOString()
    const offset = runAt.replace('Z', '+00:00')
    const task = await system.submit('reverse', { text: 'later' }, { run_at: offset })
    expect(task).toMatchObject({ status: 'PENDING', run_at: runAt })
    // Submitted afterwards and done already, while the other still waits.
    await system.taskWhenFinal((await system.submit('reverse', { text: 'now' })).id)
    expect(await system.task(task.id)).toMatchObject({ status: 'PENDING', attempt: 0, run_at: runAt })
  })

  test('run_at: a moment that has passed means at once', async () => {
    const task = await system.submit('reverse', { text: 'abc' }, { run_at: '2001-01-01T00:00:00Z' })
    expect(await system.taskWhenFinal(task.id)).toMatchObject({ status: 'SUCCESS', run_at: task.created_at })
  })

  test('delay_seconds: runs after the pause and not before', async () => {
    const task = await system.submit('reverse', { text: 'abc' }, { delay_seconds: 0.5 })
    expect(Date.parse(task.run_at) - Date.parse(task.created_at)).toBeGreaterThan(400)
    const done = await system.taskWhenFinal(task.id)
    expect(done.status).toBe('SUCCESS')
    expect(Date.parse(done.started_at ?? '')).toBeGreaterThanOrEqual(Date.parse(task.run_at))
  })

  test('max_retries: 0 means that one failure is the end', async () => {
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

  test('timeout_seconds: ends an attempt that takes longer', async () => {
    const options = { timeout_seconds: 0.1, max_retries: 0 }
    const task = await system.submit('gate', { gate: 'never opened' }, options)
    expect(task.timeout_seconds).toBe(0.1)
    expect(await system.taskWhenFinal(task.id)).toMatchObject({
      status: 'FAILURE',
      error: { name: 'TimeoutError', message: 'Timed out: an attempt may take 0.1 s' },
    })
  })

  test('queue: only its own workers run it', async () => {
    const queue = 'side-entrance'
    const task = await system.submit('reverse', { text: 'abc' }, { queue })
    await system.taskWhenFinal((await system.submit('reverse', { text: 'main' })).id)
    expect(await system.task(task.id)).toMatchObject({ status: 'PENDING', queue })
    const worker = system.startWorker({ queues: [queue] })
    expect(await system.taskWhenFinal(task.id)).toMatchObject({ status: 'SUCCESS', worker_id: worker.id })
    await worker.stop(0)
  })

  test('tags: come back in their order', async () => {
    const tags = ['tenant:7', 'größe', '🐝', 'a b']
    const task = await system.submit('reverse', { text: 'abc' }, { ...NOBODY, tags })
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
  ])('refuses at %s: %j', async (pointer, options) => {
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
  ])('input and result come back as they went in: %s', async (input) => {
    const response = await post('/v1/tasks/echo', `{"input":${input}}`)
    const { id } = response.body as TaskView
    const done = await system.taskWhenFinal(id)
    const expected = JSON.stringify(JSON.parse(input))
    // As texts: equality of objects knows no order of keys, and takes __proto__ for nothing.
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
])('a number that would be changed is refused at %s: %s', async (pointer, input) => {
  const response = await post('/v1/tasks/echo', `{"input":${input}}`)
  const detail = 'is too large to be kept as it is written: send it as a string'
  expect(response).toMatchObject({ status: 422, body: { errors: [{ pointer, detail }] } })
})

test('a replay with such a number is refused, and one without is not', async () => {
  const { id } = await finishedTask()
  const replay = (value: string) => post(`/v1/tasks/${id}/replay`, `{"input":{"text":"a","id":${value}}}`)
  expect(await replay('9007199254740993')).toMatchObject({
    status: 422,
    body: { errors: [{ pointer: '#/input/id' }] },
  })
  expect((await replay('"9007199254740993"')).status).toBe(202)
})

describe('GET /v1/tasks/{id}', () => {
  test('tells when to ask again while a task is unfinished, and no longer when it has ended', async () => {
    const unfinished = await get(`/v1/tasks/${(await waiting()).id}`)
    expect(unfinished.headers.get('Retry-After')).toBe('1')
    expect(unfinished.headers.get('Cache-Control')).toBe('private, no-cache')
    const finished = await get(`/v1/tasks/${(await finishedTask()).id}`)
    expect(finished.headers.has('Retry-After')).toBe(false)
  })

  test('is 304 until something changes', async () => {
    const { id } = await waiting()
    const first = await get(`/v1/tasks/${id}`)
    const tag = first.headers.get('ETag') ?? ''
    expect(await get(`/v1/tasks/${id}`, { 'If-None-Match': tag })).toMatchObject({ status: 304, body: '' })
    await system.request('POST', `/v1/tasks/${id}/cancel`)
    const changed = await get(`/v1/tasks/${id}`, { 'If-None-Match': tag })
    expect(changed).toMatchObject({ status: 200, body: { status: 'CANCELLED' } })
    expect(changed.headers.get('ETag')).not.toBe(tag)
  })

  test.each([
    ['a weak tag, as proxies that compress make of it', (tag: string) => `W/${tag}`],
    ['a list of tags', (tag: string) => `"other", ${tag}`],
    ['any tag', () => '*'],
  ])('is 304 for %s', async (_kind, headerOf) => {
    const { id } = await waiting()
    const tag = (await get(`/v1/tasks/${id}`)).headers.get('ETag') ?? ''
    expect((await get(`/v1/tasks/${id}`, { 'If-None-Match': headerOf(tag) })).status).toBe(304)
  })

  // Sooner than the 50 seconds that it offers to wait.
  test('?wait= answers all who wait as soon as the task ends', { timeout: 20_000 }, async () => {
    const { id, open } = await running()
    const answers = Array.from({ length: 20 }, () => get(`/v1/tasks/${id}?wait=50`))
    const impatient = await get(`/v1/tasks/${id}?wait=0.1`)
    expect(impatient).toMatchObject({ status: 200, body: { status: 'STARTED' } })
    open()
    for (const { status, body } of await Promise.all(answers)) {
      expect({ status, body }).toMatchObject({ status: 200, body: { status: 'SUCCESS' } })
    }
  })

  test('?wait= answers at once when the task has ended', { timeout: 20_000 }, async () => {
    const { id } = await finishedTask()
    expect((await get(`/v1/tasks/${id}?wait=50`)).body).toMatchObject({ status: 'SUCCESS' })
  })

  test('?wait= answers when a waiting task is cancelled', { timeout: 20_000 }, async () => {
    const { id } = await waiting()
    const answer = get(`/v1/tasks/${id}?wait=50`)
    await get(`/v1/tasks/${id}?wait=0.05`)
    await system.request('POST', `/v1/tasks/${id}/cancel`)
    expect((await answer).body).toMatchObject({ status: 'CANCELLED' })
  })

  test('a client that leaves while it waits disturbs nobody', { timeout: 20_000 }, async () => {
    const { id, open } = await running()
    const leaving = new AbortController()
    const left = fetch(`${system.url}/v1/tasks/${id}?wait=50`, { signal: leaving.signal }).catch(() => 'left')
    const staying = get(`/v1/tasks/${id}?wait=50`)
    await get(`/v1/tasks/${id}?wait=0.05`)
    leaving.abort()
    expect(await left).toBe('left')
    open()
    expect((await staying).body).toMatchObject({ status: 'SUCCESS' })
    expect(system.announced('error.unexpected')).toEqual([])
  })

  test('the notice of an end reaches who begins to wait just when the last one has left', async () => {
    const [signals, others] = [ownSignals(), ownSignals()]
    const heard: string[] = []
    const heardByOthers: string[] = []
    await listenTo(others, heardByOthers)
    const leave = await listenTo(signals, [])
    leave()
    await listenTo(signals, heard)
    const announceAndLook = async () => {
      others.announce('ended', [UNKNOWN_ID])
      return heard.length > 0 || heardByOthers.length > 10
    }
    await until(announceAndLook, Boolean)
    expect(heard).toContain(UNKNOWN_ID)
  })

  test.each(['51', '-1', 'long', 'Infinity'])('refuses to wait for %s', async (wait) => {
    const { status, body } = await get(`/v1/tasks/${(await waiting()).id}?wait=${wait}`)
    expect({ status, body }).toMatchObject({
      status: 400,
      body: { detail: expect.stringContaining('"wait"') },
    })
  })
})

describe('GET /v1/tasks', () => {
  test('every filter finds its tasks and no others', async () => {
    const queue = 'filters'
    const worker = system.startWorker({ queues: [queue] })
    const done = await system.submit('reverse', { text: 'abc' }, { queue, tags: ['blue', 'round'] })
    await system.taskWhenFinal(done.id)
    await worker.stop(0)
    const pause = { queue, delay_seconds: 3_600 }
    const later = await system.submit('echo', {}, { ...pause, tags: ['blue'] })
    const cancelled = await system.submit('echo', {}, { ...pause, tags: ['red'] })
    await system.request('POST', `/v1/tasks/${cancelled.id}/cancel`)

    expect(await idsOf(`queue=${queue}`)).toEqual(newestFirst([cancelled, later, done]))
    expect(await idsOf(`queue=${queue}&status=SUCCESS`)).toEqual([done.id])
    expect(await idsOf(`queue=${queue}&status=SUCCESS,CANCELLED`)).toEqual(newestFirst([cancelled, done]))
    expect(await idsOf(`queue=${queue}&name=echo`)).toEqual(newestFirst([cancelled, later]))
    expect(await idsOf(`queue=${queue}&name=echo&status=PENDING`)).toEqual([later.id])
    expect(await idsOf(`worker=${worker.id}`)).toEqual([done.id])
    expect(await idsOf(`queue=${queue}&tag=blue`)).toEqual(newestFirst([later, done]))
    expect(await idsOf('tag=round')).toEqual([done.id])
    expect(await idsOf(`id=${later.id}`)).toEqual([later.id])
    expect(await idsOf(`id=${later.id.slice(0, 30)}`)).toEqual([later.id])
    expect(await idsOf(`id=${later.id.slice(0, 18).toUpperCase()}&queue=${queue}`)).toContain(later.id)
    expect(await idsOf(`queue=${queue}&limit=1`)).toHaveLength(1)
    expect(await idsOf('queue=empty')).toEqual([])
    expect(await idsOf('name=unknown')).toEqual([])
  })

  test('created_after takes its moment in, created_before leaves it out', async () => {
    const queue = 'moments'
    const first = await system.submit('echo', {}, { queue })
    const second = await submitAfter(first, queue)
    expect(await idsOf(`queue=${queue}&created_after=${second.created_at}`)).toEqual([second.id])
    expect(await idsOf(`queue=${queue}&created_before=${second.created_at}`)).toEqual([first.id])
    expect(await idsOf(`queue=${queue}&created_after=${first.created_at}`)).toEqual([second.id, first.id])
    expect(await idsOf(`queue=${queue}&created_before=${first.created_at}`)).toEqual([])
    const between = `created_after=${first.created_at}&created_before=${second.created_at}`
    expect(await idsOf(`queue=${queue}&${between}`)).toEqual([first.id])
    // The same moment, in another time zone.
    const offset = encodeURIComponent(second.created_at.replace('Z', '+00:00'))
    expect(await idsOf(`queue=${queue}&created_after=${offset}`)).toEqual([second.id])
  })

  test('paging shows every task once, while new ones arrive', async () => {
    const queue = 'paging'
    const submitSome = (count: number) =>
      Promise.all(Array.from({ length: count }, () => system.submit('echo', {}, { queue })))
    const tasks = await submitSome(23)
    const seen: string[] = []
    let cursor: string | null = ''
    for (let pages = 0; cursor !== null && pages < 100; pages++) {
      const { body } = await get(`/v1/tasks?queue=${queue}&limit=5${cursor && `&cursor=${cursor}`}`)
      const page = body as { data: TaskView[]; next_cursor: string | null }
      seen.push(...page.data.map(({ id }) => id))
      cursor = page.next_cursor
      await submitSome(3)
    }
    expect(seen).toEqual(newestFirst(tasks))
  })

  test('a page that takes the last task says so', async () => {
    const queue = 'last-page'
    const tasks = [await system.submit('echo', {}, { queue }), await system.submit('echo', {}, { queue })]
    const { body } = await get(`/v1/tasks?queue=${queue}&limit=2`)
    expect(body).toMatchObject({ next_cursor: null, data: newestFirst(tasks).map((id) => ({ id })) })
  })
})

describe('POST /v1/tasks/{id}/cancel', () => {
  test('a waiting task is cancelled at once, and cancelling it again is 200', async () => {
    const { id } = await waiting()
    const first = await system.request('POST', `/v1/tasks/${id}/cancel`)
    expect(first).toMatchObject({ status: 200, body: { id, status: 'CANCELLED', is_final: true } })
    const second = await system.request('POST', `/v1/tasks/${id}/cancel`)
    expect(second).toMatchObject({ status: 200, body: { id, status: 'CANCELLED' } })
  })

  test('a running task is asked to end, which is 202, and does', async () => {
    const { id } = await running()
    const answer = await system.request('POST', `/v1/tasks/${id}/cancel`)
    expect(answer).toMatchObject({ status: 202, body: { id, cancel_requested_at: expect.any(String) } })
    expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'CANCELLED' })
    expect((await system.request('POST', `/v1/tasks/${id}/cancel`)).status).toBe(200)
  })

  test('a finished task stays as it is: 409', async () => {
    const { id } = await finishedTask()
    const answer = await system.request('POST', `/v1/tasks/${id}/cancel`)
    expect(answer).toMatchObject({
      status: 409,
      body: { detail: expect.stringMatching(/SUCCESS.*finished/) },
    })
    expect(await system.task(id)).toMatchObject({ status: 'SUCCESS', cancel_requested_at: null })
  })

  test('an unknown task is 404', async () => {
    expect((await system.request('POST', `/v1/tasks/${UNKNOWN_ID}/cancel`)).status).toBe(404)
  })
})

describe('POST /v1/tasks/{id}/retry', () => {
  test('a failed task runs again under its id, with a fresh budget', async () => {
    const name = randomUUID()
    const { id } = await system.submit('gate', { gate: name, isBroken: true }, { max_retries: 0 })
    await system.taskWhenFinal(id)
    isOpen.add(name)
    const answer = await system.request('POST', `/v1/tasks/${id}/retry`)
    expect(answer).toMatchObject({ status: 202, body: { id, failures: 0, error: null } })
    expect(await system.taskWhenFinal(id)).toMatchObject({
      status: 'SUCCESS',
      result: { passed: name },
      error: null,
      attempt: 2,
      failures: 0,
      attempts: [{ attempt: 1, error: { message: 'the gate is broken' } }],
    })
  })

  test('a retried task that fails again has failed once, and its history has both', async () => {
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

  test('a cancelled task runs after all', async () => {
    const { id } = await system.submit('echo', { a: 1 }, { delay_seconds: 3_600 })
    await system.request('POST', `/v1/tasks/${id}/cancel`)
    const answer = await system.request('POST', `/v1/tasks/${id}/retry`)
    expect(answer).toMatchObject({ status: 202, body: { id, cancel_requested_at: null } })
    expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS', attempt: 1, result: { a: 1 } })
  })

  test('is 409 for a task that succeeded, waits or runs', async () => {
    for (const { id } of [await finishedTask(), await waiting(), await running()]) {
      const before = await system.task(id)
      expect((await system.request('POST', `/v1/tasks/${id}/retry`)).status).toBe(409)
      expect(await system.task(id)).toEqual(before)
    }
  })

  test('an unknown task is 404', async () => {
    expect((await system.request('POST', `/v1/tasks/${UNKNOWN_ID}/retry`)).status).toBe(404)
  })
})

describe('monitoring', () => {
  test('GET /v1/workers shows a worker while it lives and no longer', async () => {
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
})

function ownSignals(): Signals {
  const signals = createSignals({ redisUrl: system.redis.url, onError: () => {} })
  onTestFinished(() => signals.stop())
  return signals
}

/** Resolves when it hears, with what ends it. */
function listenTo(signals: Signals, heard: string[]): Promise<() => void> {
  return new Promise((resolve) => {
    const leave = signals.listen(
      'ended',
      (ids) => heard.push(...ids),
      () => resolve(leave),
    )
  })
}

async function get(path: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${system.url}${path}`, { headers })
  const text = await response.text()
  const body: unknown = text === '' ? '' : JSON.parse(text)
  return { status: response.status, headers: response.headers, body }
}

/** The body as it is, for what `JSON.stringify` would not write. */
async function post(path: string, body: string, type = 'application/json') {
  const response = await fetch(`${system.url}${path}`, {
    method: 'POST',
    body,
    headers: { 'Content-Type': type },
  })
  return { status: response.status, body: (await response.json()) as unknown }
}

function waiting(): Promise<TaskView> {
  return system.submit('reverse', { text: 'abc' }, NOBODY)
}

async function finishedTask() {
  return system.taskWhenFinal((await system.submit('reverse', { text: 'abc' })).id)
}

/** A task that runs until `open` is called. */
async function running() {
  const name = randomUUID()
  const { id } = await system.submit('gate', { gate: name })
  await system.taskWhen(id, ({ status }) => status === 'STARTED' && doors.has(name))
  return { id, open: () => doors.get(name)?.() }
}

async function idsOf(query: string): Promise<string[]> {
  const { status, body } = await get(`/v1/tasks?${query}`)
  expect({ status, body }).toMatchObject({ status: 200 })
  return (body as { data: TaskView[] }).data.map(({ id }) => id)
}

/** Ids carry the moment of submission; within a millisecond, they are the order themselves. */
function newestFirst(tasks: TaskView[]): string[] {
  return tasks
    .map(({ id }) => id)
    .sort()
    .reverse()
}

/** A task that is younger than the other by a millisecond at least. */
async function submitAfter(other: TaskView, queue: string): Promise<TaskView> {
  await until(
    async () => Date.now(),
    (now) => now > Date.parse(other.created_at),
  )
  return system.submit('echo', {}, { queue })
}

function workersWhen(workerId: string, isThere: boolean) {
  return until(
    async () => (await get('/v1/workers')).body as { data: { id: string }[] },
    ({ data }) => data.some(({ id }) => id === workerId) === isThere,
  )
}
