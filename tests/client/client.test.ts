// The typed client, against the API: a task's whole life, and what happens while the API is away.
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest'
import { type AnyDefinition, ApiError, createClient } from 'waggle/client'
import { createTestKeys } from '../support/api-keys.ts'
import { createGatedTask } from '../support/browser-definitions.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

const UNKNOWN_ID = '01890a5d-ac96-774b-bcce-b302099a8057'

const gate = createGatedTask()
let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ definitions: [gate.definition] })
})
afterAll(() => system.stop())

/** A client of the project's own definitions, whose requests go through the test's hands. */
function connect(fetch?: typeof globalThis.fetch) {
  return createClient({ baseUrl: system.url, fetch })
}

/** One that takes every name, for the definitions of the tests. */
function connectToAny() {
  return createClient<AnyDefinition>({ baseUrl: system.url })
}

test('a whole life: submitted, waited for, listed, replayed with another input', async () => {
  const client = connect()
  const task = await client.submit('reverse', { text: 'Waggle' }, { options: { tags: ['whole-life'] } })
  const done = await client.waitFor(task)
  expect(done).toMatchObject({ id: task.id, status: 'SUCCESS', result: { text: 'elggaW' } })
  const copy = await client.replay(task.id, { text: 'again' })
  expect(await client.waitFor(copy.id)).toMatchObject({ replayed_from: task.id, result: { text: 'niaga' } })
  expect((await client.list({ tag: 'whole-life' })).data.map(({ id }) => id)).toEqual([copy.id, task.id])
  expect(await client.task(task.id)).toMatchObject({ status: 'SUCCESS', attempts: [] })
})

test('a running task is cancelled, and started anew by hand', async () => {
  const client = connectToAny()
  const task = await client.submit('gated', { gate: 'cancelled' })
  await system.taskWhen(task.id, ({ status }) => status === 'STARTED')
  await client.cancel(task.id)
  expect(await client.waitFor(task)).toMatchObject({ status: 'CANCELLED', result: null })
  gate.open('cancelled')
  await client.retry(task.id)
  expect(await client.waitFor(task)).toMatchObject({ status: 'SUCCESS', result: { passed: 'cancelled' } })
})

test('the definitions and the health of the API can be asked for', async () => {
  const client = connect()
  expect((await client.definitions()).data.map(({ name }) => name)).toContain('divide')
  expect(await client.ready()).toEqual({ status: 'ok' })
})

test('names, inputs and results have the types of their definitions', () => {
  const client = connect()
  // Only compiled: what is wrong here is found by tsc, not by running it.
  const compiled = async () => {
    const task = await client.submit('divide', { x: 1, y: 2 })
    const done = await client.waitFor(task)
    if (done.status === 'SUCCESS') expectTypeOf(done.result).toEqualTypeOf<{ quotient: number }>()
    else expectTypeOf(done.result).toEqualTypeOf<null>()
    const found = await client.waitFor(task.id)
    if (found.status === 'SUCCESS') expectTypeOf(found.result).toEqualTypeOf<unknown>()
    const listed = (await client.list()).data[0] ?? task
    const unnamed = await client.waitFor(listed)
    if (unnamed.status === 'SUCCESS') expectTypeOf(unnamed.result).toEqualTypeOf<unknown>()
    // @ts-expect-error there is no such definition
    await client.submit('divid', { x: 1, y: 2 })
    // @ts-expect-error y is missing
    await client.submit('divide', { x: 1 })
    // @ts-expect-error x is a number
    await client.submit('divide', { x: '1', y: 2 })
    // @ts-expect-error an input of another definition
    await client.submit('reverse', { x: 1, y: 2 })
    // @ts-expect-error an option that the API does not know
    await client.submit('divide', { x: 1, y: 2 }, { options: { delay: 1 } })
  }
  expectTypeOf(compiled).returns.resolves.toBeVoid()
})

describe('what the API refuses', () => {
  test('is an ApiError that points to every fault', async () => {
    const refusal = connectToAny().submit('divide', { x: 'one', y: 'two' })
    await expect(refusal).rejects.toBeInstanceOf(ApiError)
    await expect(refusal).rejects.toMatchObject({
      status: 422,
      code: 'invalid_input',
      errors: [{ pointer: '#/input/x' }, { pointer: '#/input/y' }],
    })
  })

  test.each([
    ['a name that nobody knows', () => connectToAny().submit('divid', {}), 404, 'unknown_definition'],
    ['an id that nobody knows', () => connect().waitFor(UNKNOWN_ID), 404, 'unknown_task'],
    ['an id that is none', () => connect().task('../tasks?limit=1'), 404, 'unknown_task'],
    ['a filter that is none', () => connect().list({ limit: '0' }), 400, 'invalid_query'],
  ])('%s', async (_what, call, status, code) => {
    await expect(call()).rejects.toMatchObject({ name: 'ApiError', status, code, isPassing: false })
  })

  test('a task that has ended is not cancelled', async () => {
    const client = connect()
    const task = await client.submit('reverse', { text: 'done' })
    await client.waitFor(task)
    await expect(client.cancel(task.id)).rejects.toMatchObject({ status: 409, code: 'already_finished' })
  })
})

describe('waiting', () => {
  test('ends after the time that it was given', async () => {
    const client = connectToAny()
    const task = await client.submit('gated', { gate: 'never' })
    await expect(client.waitFor(task, { timeoutMs: 100 })).rejects.toMatchObject({
      code: 'timed_out',
      message: `Task ${task.id} has not ended within 100 ms`,
    })
  })

  test('ends when its signal aborts', async () => {
    const client = connectToAny()
    const task = await client.submit('gated', { gate: 'never' })
    const leaving = new AbortController()
    const waiting = client.waitFor(task, { signal: leaving.signal })
    leaving.abort(new Error('The person went away'))
    await expect(waiting).rejects.toMatchObject({ code: 'aborted', cause: leaving.signal.reason })
  })

  test('outlives an API that goes away and comes back', async () => {
    const client = connectToAny()
    const task = await client.submit('gated', { gate: 'outage' })
    await system.taskWhen(task.id, ({ status }) => status === 'STARTED')
    const waiting = client.waitFor(task)
    await system.stopApi()
    gate.open('outage')
    await expect(createClient({ baseUrl: system.url, patienceMs: 0 }).task(task.id)).rejects.toMatchObject({
      status: 0,
      code: 'unreachable',
    })
    await system.startApi()
    expect(await waiting).toMatchObject({ status: 'SUCCESS', result: { passed: 'outage' } })
  })
})

describe('asking again', () => {
  test('a submission whose answer was lost is sent again and makes one task', async () => {
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

  test('every call is a submission of its own, unless its key is given', async () => {
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

  test.each([429, 503])('a %i is waited out for as long as it says', async (status) => {
    const askedMs: number[] = []
    const client = connect(async (...request) => {
      askedMs.push(performance.now())
      if (askedMs.length > 1) return fetch(...request)
      const problem = { type: 'urn:waggle:problem:busy', status, detail: 'Not now' }
      return Response.json(problem, { status, headers: { 'Retry-After': '1' } })
    })
    await client.definitions()
    // Timers may be a little early.
    expect((askedMs[1] ?? 0) - (askedMs[0] ?? 0)).toBeGreaterThan(990)
  })

  test('it ends with the last refusal when patience is at its end', async () => {
    const problem = { type: 'urn:waggle:problem:unavailable', detail: 'Postgres cannot be reached' }
    const client = createClient({
      baseUrl: system.url,
      patienceMs: 1_000,
      fetch: async () => Response.json(problem, { status: 503, headers: { 'Retry-After': '2' } }),
    })
    await expect(client.submit('reverse', { text: 'x' })).rejects.toMatchObject({
      status: 503,
      code: 'unavailable',
      detail: 'Postgres cannot be reached',
      retryAfterMs: 2_000,
    })
  })

  test('a retry by hand is sent once', async () => {
    let count = 0
    const client = connect(async () => {
      count += 1
      throw new TypeError('The connection was cut')
    })
    await expect(client.retry(UNKNOWN_ID)).rejects.toMatchObject({ code: 'unreachable' })
    expect(count).toBe(1)
  })
})

test('a key that may only submit is enough to wait for what it has submitted', async () => {
  const { apiKeys, key } = createTestKeys({ shop: ['submit'] })
  const closed = await startSystem({ apiKeys })
  try {
    const client = createClient({ baseUrl: closed.url, apiKey: key('shop') })
    const task = await client.submit('reverse', { text: 'Waggle' })
    expect(await client.waitFor(task)).toMatchObject({ result: { text: 'elggaW' } })
    await expect(client.task(task.id)).rejects.toMatchObject({ status: 403, code: 'forbidden' })
    const stranger = createClient({ baseUrl: closed.url })
    await expect(stranger.definitions()).rejects.toMatchObject({ status: 401, code: 'unauthorized' })
  } finally {
    await closed.stop()
  }
})
