// The typed client against a running API: all calls on a task, refusals, waiting, and repeated requests
// during outages.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ApiError, createClient } from 'waggle-tasks/client'
import type config from '../../waggle.config.ts'
import { createTestKeys } from '../support/api-keys.ts'
import { createGatedTask } from '../support/browser-definitions.ts'
import { startSystem, type TestSystem } from '../support/system.ts'
import { createUniqueDefinitions } from '../support/unique-definitions.ts'

const UNKNOWN_ID = '01890a5d-ac96-774b-bcce-b302099a8057'

const gate = createGatedTask()
let system: TestSystem
beforeAll(async () => {
  const { definitions } = createUniqueDefinitions()
  system = await startSystem({
    definitions: [gate.definition, ...definitions.filter(({ name }) => name === 'replaced')],
  })
})
afterAll(() => system.stop())

/**
 * Creates a client typed with the project's definitions. A test can pass its own `fetch` to intercept
 * requests.
 */
function connect(fetch?: typeof globalThis.fetch) {
  return createClient<typeof config>({ baseUrl: system.url, fetch })
}

/** Creates a client that accepts every definition name, because the test definitions have no types. */
function connectToAny() {
  return createClient({ baseUrl: system.url })
}

test('a task is submitted, waited for, listed, and replayed with another input', async () => {
  const client = connect()
  const task = await client.submit('reverse', { text: 'Waggle' }, { options: { tags: ['whole-life'] } })
  const done = await client.waitFor(task)
  expect(done).toMatchObject({ id: task.id, status: 'SUCCESS', result: { text: 'elggaW' } })
  const copy = await client.replay(task.id, { text: 'again' })
  expect(await client.waitFor(copy.id)).toMatchObject({ replayed_from: task.id, result: { text: 'niaga' } })
  expect((await client.list({ tag: 'whole-life' })).data.map(({ id }) => id)).toEqual([copy.id, task.id])
  expect(await client.task(task)).toMatchObject({ status: 'SUCCESS', attempts: [] })
  expect(await client.task(task.id)).toMatchObject({ id: task.id, name: 'reverse' })
})

test('a submission that meets a unique task resolves with that task', async () => {
  const client = connectToAny()
  const task = await client.submit('replaced', { n: 1 }, { options: { delay_seconds: 60 } })
  expect(task.is_existing).toBeUndefined()
  const met = await client.submit('replaced', { n: 2 })
  expect(met).toMatchObject({ id: task.id, input: { n: 2 }, is_existing: true })
  const { data } = await client.logs(met)
  expect(data).toMatchObject([{ attempt: 0, fields: { replaced_input: { n: 1 } } }])
  expect((await client.replay(met)).is_existing).toBe(true)
})

test('a running task is cancelled and then retried', async () => {
  const client = connectToAny()
  const task = await client.submit('gated', { gate: 'cancelled' })
  await system.taskWhen(task.id, ({ status }) => status === 'STARTED')
  await client.cancel(task.id)
  expect(await client.waitFor(task)).toMatchObject({ status: 'CANCELLED', result: null })
  gate.open('cancelled')
  await client.retry(task.id)
  expect(await client.waitFor(task)).toMatchObject({ status: 'SUCCESS', result: { passed: 'cancelled' } })
})

test('definitions() lists the definitions and ready() returns the health status', async () => {
  const client = connect()
  expect((await client.definitions()).data.map(({ name }) => name)).toContain('divide')
  expect(await client.ready()).toEqual({ status: 'ok' })
})

describe('a request that the API rejects', () => {
  test('becomes an ApiError that points to every invalid field', async () => {
    const refusal = connectToAny().submit('divide', { x: 'one', y: 'two' })
    await expect(refusal).rejects.toBeInstanceOf(ApiError)
    await expect(refusal).rejects.toMatchObject({
      status: 422,
      code: 'invalid_input',
      errors: [{ pointer: '#/input/x' }, { pointer: '#/input/y' }],
    })
  })

  test.each([
    ['an unknown definition', () => connectToAny().submit('divid', {}), 404, 'unknown_definition'],
    ['an unknown id', () => connect().waitFor(UNKNOWN_ID), 404, 'unknown_task'],
    ['an invalid id', () => connect().task('../tasks?limit=1'), 404, 'unknown_task'],
    ['an invalid filter', () => connect().list({ limit: '0' }), 400, 'invalid_query'],
  ])('becomes an ApiError that is not retried: %s', async (_what, call, status, code) => {
    await expect(call()).rejects.toMatchObject({ name: 'ApiError', status, code, isTransient: false })
  })

  test('is a cancellation of a finished task', async () => {
    const client = connect()
    const task = await client.submit('reverse', { text: 'done' })
    await client.waitFor(task)
    await expect(client.cancel(task.id)).rejects.toMatchObject({ status: 409, code: 'already_finished' })
  })
})

describe('waitFor', () => {
  test('rejects with "timed_out" after timeoutMs', async () => {
    const client = connectToAny()
    const task = await client.submit('gated', { gate: 'never' })
    await expect(client.waitFor(task, { timeoutMs: 100 })).rejects.toMatchObject({
      code: 'timed_out',
      message: `Task ${task.id} has not ended within 100 ms`,
    })
  })

  test('rejects with "aborted" when its signal aborts', async () => {
    const client = connectToAny()
    const task = await client.submit('gated', { gate: 'never' })
    const controller = new AbortController()
    const waiting = client.waitFor(task, { signal: controller.signal })
    controller.abort(new Error('The page was closed'))
    await expect(waiting).rejects.toMatchObject({ code: 'aborted', cause: controller.signal.reason })
  })

  test('continues to wait while the API is stopped and started again', async () => {
    const client = connectToAny()
    const task = await client.submit('gated', { gate: 'outage' })
    await system.taskWhen(task.id, ({ status }) => status === 'STARTED')
    const waiting = client.waitFor(task)
    await system.stopApi()
    gate.open('outage')
    await expect(createClient({ baseUrl: system.url, retryForMs: 0 }).task(task.id)).rejects.toMatchObject({
      status: 0,
      code: 'unreachable',
    })
    await system.startApi()
    expect(await waiting).toMatchObject({ status: 'SUCCESS', result: { passed: 'outage' } })
  })
})

describe('repeated requests', () => {
  test('a submission whose response was lost is sent again and creates one task', async () => {
    const lost: unknown[] = []
    const client = connect(async (...request) => {
      const response = await fetch(...request)
      if (lost.length > 0) return response
      lost.push(await response.json())
      throw new TypeError('The connection was cut')
    })
    const task = await client.submit('reverse', { text: 'once' }, { options: { tags: ['once'] } })
    expect(lost).toMatchObject([{ id: task.id }])
    expect((await client.list({ tag: 'once' })).data).toHaveLength(1)
  })

  test('each call creates a new task, unless the same idempotency key is given', async () => {
    const client = connect()
    const input = { text: 'twice' }
    const [first, second] = [await client.submit('reverse', input), await client.submit('reverse', input)]
    expect(first.id).not.toBe(second.id)
    const keyed = { idempotencyKey: 'twice-1' }
    const third = await client.submit('reverse', input, keyed)
    expect((await client.submit('reverse', input, keyed)).id).toBe(third.id)
    await expect(client.submit('reverse', { text: 'other' }, keyed)).rejects.toMatchObject({
      code: 'idempotency_key_reused',
    })
  })

  test.each([429, 503])('a %i response is repeated after its Retry-After', async (status) => {
    const requestedMs: number[] = []
    const client = connect(async (...request) => {
      requestedMs.push(performance.now())
      if (requestedMs.length > 1) return fetch(...request)
      const problem = { type: 'urn:waggle:problem:busy', status, detail: 'Not now' }
      return Response.json(problem, { status, headers: { 'Retry-After': '1' } })
    })
    await client.definitions()
    // Timers can fire a little early.
    expect((requestedMs[1] ?? 0) - (requestedMs[0] ?? 0)).toBeGreaterThan(990)
  })

  test('a call rejects with the last error when the next try would be after retryForMs', async () => {
    const problem = { type: 'urn:waggle:problem:unavailable', detail: 'Postgres cannot be reached' }
    const client = createClient({
      baseUrl: system.url,
      retryForMs: 1_000,
      fetch: async () => Response.json(problem, { status: 503, headers: { 'Retry-After': '2' } }),
    })
    await expect(client.submit('reverse', { text: 'x' })).rejects.toMatchObject({
      status: 503,
      code: 'unavailable',
      detail: 'Postgres cannot be reached',
      retryAfterMs: 2_000,
    })
  })

  test('a retry is never sent twice', async () => {
    let count = 0
    const client = connect(async () => {
      count += 1
      throw new TypeError('The connection was cut')
    })
    await expect(client.retry(UNKNOWN_ID)).rejects.toMatchObject({ code: 'unreachable' })
    expect(count).toBe(1)
  })
})

test('a key with only the scope "submit" can wait for the tasks that it submitted', async () => {
  const { apiKeys, key } = createTestKeys({ shop: ['submit'] })
  const closed = await startSystem({ apiKeys })
  try {
    const client = createClient({ baseUrl: closed.url, apiKey: key('shop') })
    const task = await client.submit('reverse', { text: 'Waggle' })
    expect(await client.waitFor(task)).toMatchObject({ result: { text: 'elggaW' } })
    await expect(client.task(task.id)).rejects.toMatchObject({ status: 403, code: 'forbidden' })
    const withoutKey = createClient({ baseUrl: closed.url })
    await expect(withoutKey.definitions()).rejects.toMatchObject({ status: 401, code: 'unauthorized' })
  } finally {
    await closed.stop()
  }
})
