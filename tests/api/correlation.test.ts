// Correlation: the request id and the trace context in responses, task rows, and the events of API and
// worker.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSystem, type TestSystem } from '../support/system.ts'

const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

let system: TestSystem
beforeAll(async () => {
  system = await startSystem()
})
afterAll(() => system.stop())

function submit(headers: Record<string, string>) {
  return system.request('POST', '/v1/tasks/reverse', { input: { text: 'ab' } }, headers) as Promise<{
    headers: Headers
    body: { id: string; request_id: string; traceparent: string | null }
  }>
}

test('the request id and trace of a submission are returned, stored with the task, and in the events of the worker', async () => {
  const { headers, body } = await submit({ 'X-Request-Id': 'order-4711', Traceparent: TRACEPARENT })
  expect(headers.get('X-Request-Id')).toBe('order-4711')
  expect(headers.get('Traceparent')).toBe(TRACEPARENT)
  expect(body).toMatchObject({ request_id: 'order-4711', traceparent: TRACEPARENT })
  const done = await system.taskWhenFinal(body.id)
  expect(done).toMatchObject({ request_id: 'order-4711', traceparent: TRACEPARENT })
  const correlation = { taskId: body.id, requestId: 'order-4711', traceparent: TRACEPARENT }
  expect(system.emitted('request.finished')).toContainEqual(
    expect.objectContaining({ method: 'POST', requestId: 'order-4711', traceparent: TRACEPARENT }),
  )
  expect(system.emitted('task.started')).toContainEqual(expect.objectContaining(correlation))
  expect(system.emitted('task.finished')).toContainEqual(expect.objectContaining(correlation))
})

test('a request without an id gets a new one', async () => {
  const [first, second] = [await submit({}), await submit({})]
  expect(first.body.request_id).toBe(first.headers.get('X-Request-Id'))
  expect(first.body.request_id).not.toBe(second.body.request_id)
  expect(first.body.traceparent).toBeNull()
})

describe('an invalid request id or trace is replaced or dropped', () => {
  test.each([
    ['an id with a space', 'a b'],
    ['an id of 129 characters', 'x'.repeat(129)],
    ['an id that is not ASCII', 'ü'],
  ])('%s', async (_what, id) => {
    const { headers } = await submit({ 'X-Request-Id': id })
    expect(headers.get('X-Request-Id')).toMatch(/^[0-9a-f-]{36}$/)
  })

  test.each([
    ['a trace id of zeros', `00-${'0'.repeat(32)}-${'1'.repeat(16)}-01`],
    ['a trace in upper case', TRACEPARENT.toUpperCase()],
    ['a malformed trace', 'x'],
  ])('%s', async (_what, traceparent) => {
    const { headers, body } = await submit({ Traceparent: traceparent })
    expect([headers.get('Traceparent'), body.traceparent]).toEqual([null, null])
  })
})

test.each([
  ['GET', '/health'],
  ['GET', '/v1/tasks'],
  ['GET', '/v1/nothing'],
  ['POST', '/v1/tasks/nothing'],
  ['GET', '/check_task/nonsense'],
  ['GET', '/submit_task'],
])('the response to %s %s has the request id and the security headers', async (method, path) => {
  const { headers } = await system.request(method, path, undefined, { 'X-Request-Id': 'r-1' })
  expect(Object.fromEntries(headers)).toMatchObject({
    'x-request-id': 'r-1',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
  })
})

describe('a page of another origin', () => {
  test('can call the API and read its headers if its origin is in CORS_ORIGINS', async () => {
    const own = await startSystem({ worker: false, corsOrigins: ['https://app.example.com'] })
    const from = (origin: string) =>
      own.request('GET', '/v1/tasks', undefined, { Origin: origin }).then(({ headers }) => headers)
    const allowed = await from('https://app.example.com')
    expect(allowed.get('Access-Control-Allow-Origin')).toBe('https://app.example.com')
    expect(allowed.get('Access-Control-Expose-Headers')).toContain('Retry-After')
    expect((await from('https://evil.example.com')).get('Access-Control-Allow-Origin')).toBeNull()
    const preflight = await own.request('OPTIONS', '/v1/tasks/reverse', undefined, {
      Origin: 'https://app.example.com',
      'Access-Control-Request-Method': 'POST',
      'Access-Control-Request-Headers': 'authorization,idempotency-key,content-type',
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('Access-Control-Allow-Headers')).toContain('authorization')
    expect(preflight.headers.get('Access-Control-Max-Age')).toBe('600')
    const tooLong = await own.request(
      'POST',
      '/v1/tasks/reverse',
      { input: 'x'.repeat(300_000) },
      { Origin: 'https://app.example.com' },
    )
    expect(tooLong.status).toBe(413)
    expect(tooLong.headers.get('Access-Control-Allow-Origin')).toBe('https://app.example.com')
    expect(tooLong.headers.get('Vary')).toContain('Origin')
    const preflightHeaders = { Origin: 'https://app.example.com', 'Access-Control-Request-Method': 'POST' }
    for (const [path, headers, status] of [
      ['/health', {}, 200],
      ['/health/live', preflightHeaders, 200],
      ['/health/ready', {}, 200],
      ['/nothing', {}, 404],
      ['/v1/tasks', {}, 405],
    ] as const) {
      const response = await own.request('OPTIONS', path, undefined, headers)
      expect([path, response.status]).toEqual([path, status])
      if (status === 200) expect(response.body).toHaveProperty('status')
    }
    await own.stop()
  })

  test('cannot call the API if no origin is configured', async () => {
    const { headers } = await system.request('GET', '/v1/tasks', undefined, {
      Origin: 'https://app.example.com',
    })
    expect(headers.get('Access-Control-Allow-Origin')).toBeNull()
  })
})
