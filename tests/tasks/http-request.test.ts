// The task http_request against a real server on the loopback interface.
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { retryAfterMs } from '../../src/tasks/http/retry-after.ts'
import { startTestServer, type TestServer } from '../support/http-server.ts'
import { type FullTask, startSystem, type TestSystem, until } from '../support/system.ts'

let system: TestSystem
let server: TestServer
let other: TestServer
beforeAll(async () => {
  other = await startTestServer((_request, response) => response.end('other'))
  server = await startTestServer(({ path }, response, nth) => {
    const { pathname, searchParams } = new URL(path, 'http://x')
    const status = Number(/^\/status\/(\d+)/.exec(pathname)?.[1] ?? 200)
    const to = searchParams.get('to')
    const retryAfter = searchParams.get('retry-after')
    const isRecovered = searchParams.has('then-ok') && nth > 1
    response.setHeader('Content-Type', 'text/plain')
    response.setHeader('Set-Cookie', 'secret=1')
    if (to) response.setHeader('Location', to)
    if (retryAfter) response.setHeader('Retry-After', retryAfter)
    if (pathname === '/broken') return response.destroy()
    if (pathname === '/no-response') return
    if (pathname === '/large') return response.end(`x${'ä'.repeat(65_536)}`)
    if (pathname === '/endless') return void writeEndlessly()
    if (pathname === '/binary') return response.end(gzipSync('\0'))
    response.writeHead(isRecovered ? 200 : status).end(`you asked for ${pathname}`)

    function writeEndlessly() {
      while (response.write('x'.repeat(16_384)));
      response.once('drain', writeEndlessly)
    }
  })
  system = await startSystem({ http: { allow: ['127.0.0.0/8'] } })
})
afterAll(async () => {
  await system.stop()
  await server.stop()
  await other.stop()
})

describe('the request', () => {
  test('is a POST with a JSON body, and its Idempotency-Key is the id of the task', async () => {
    const task = await run({ url: `${server.url}/json`, body: { order: 7, names: ['ä'] } })
    expect(task).toMatchObject({ status: 'SUCCESS', attempt: 1 })
    const [sent] = server.receivedAt('/json')
    expect(sent).toMatchObject({
      method: 'POST',
      body: '{"order":7,"names":["ä"]}',
      headers: { 'content-type': 'application/json', 'content-length': '26', 'idempotency-key': task.id },
    })
  })

  test('contains a string body unchanged, and headers of the input replace the defaults', async () => {
    const headers = {
      'Content-Type': 'text/csv',
      'Idempotency-Key': 'own-key',
      Authorization: 'Bearer x',
      'X-Empty': '',
    }
    await run({ url: `${server.url}/csv`, method: 'PUT', headers, body: 'a;b\n' })
    expect(server.receivedAt('/csv')[0]).toMatchObject({
      method: 'PUT',
      body: 'a;b\n',
      headers: {
        'content-type': 'text/csv',
        'idempotency-key': 'own-key',
        authorization: 'Bearer x',
        'x-empty': '',
      },
    })
  })

  test.each(['GET', 'HEAD', 'DELETE'])('has no body with the method %s', async (method) => {
    const task = await run({ url: `${server.url}/none-${method}`, method })
    expect(task.status).toBe('SUCCESS')
    const [sent] = server.receivedAt(`/none-${method}`)
    expect(sent).toMatchObject({ method, body: '' })
    expect(sent?.headers).not.toHaveProperty('content-type')
  })

  test('continues the trace of the request that submitted the task', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const input = { url: `${server.url}/traced` }
    const { id } = await system.service.submit('http_request', input, { traceparent, requestId: 'r-1' })
    await system.taskWhenFinal(id)
    expect(server.receivedAt('/traced')[0]?.headers.traceparent).toBe(traceparent)
  })

  test('is sent without a trace when the traceparent of the task is invalid', async () => {
    const input = { url: `${server.url}/untraced` }
    const { id } = await system.service.submit('http_request', input, { traceparent: 'no\nsuch: trace' })
    expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS' })
    expect(server.receivedAt('/untraced')[0]?.headers).not.toHaveProperty('traceparent')
  })
})

describe('the result', () => {
  test('contains the status, a few headers and the body', async () => {
    const task = await run({ url: `${server.url}/plain`, method: 'GET' })
    expect(task.result).toEqual({
      status: 200,
      headers: { 'content-type': 'text/plain', date: expect.any(String) },
      body: 'you asked for /plain',
      body_truncated: false,
      url: `${server.url}/plain`,
      duration_ms: expect.any(Number),
    })
  })

  test('contains at most 64 KiB of the body, cut between two characters', async () => {
    // One single-byte character comes first, so that the limit falls inside a character of two bytes.
    const { result } = await run({ url: `${server.url}/large`, method: 'GET' })
    expect(result).toMatchObject({ body: `x${'ä'.repeat(32_767)}`, body_truncated: true })
  })

  test('contains the first 64 KiB of a body that never ends', async () => {
    const { result } = await run({ url: `${server.url}/endless`, method: 'GET' })
    expect(result).toMatchObject({ body: 'x'.repeat(65_536), body_truncated: true })
  })

  test('can contain a binary body', async () => {
    expect(await run({ url: `${server.url}/binary`, method: 'GET' })).toMatchObject({ status: 'SUCCESS' })
  })
})

describe('an unexpected status', () => {
  test.each([400, 401, 404, 409, 410, 422, 304])('fails the task without a retry: %i', async (status) => {
    const task = await run({ url: `${server.url}/status/${status}`, body: '' })
    expect(task).toMatchObject({
      status: 'FAILURE',
      attempt: 1,
      error: { name: 'PermanentError', retryable: false },
    })
    expect(task.error?.message).toContain(`POST 127.0.0.1:${server.port} answered ${status}`)
    if (status !== 304) expect(task.error?.message).toContain(`: you asked for /status/${status}`)
  })

  test.each([408, 425, 429, 500, 502, 503, 504])('is retried: %i', async (status) => {
    const task = await run({ url: `${server.url}/status/${status}?then-ok`, body: '' })
    expect(task).toMatchObject({ status: 'SUCCESS', attempt: 2, failures: 1 })
    expect(task.attempts[0]?.error).toMatchObject({ retryable: true })
    const keys = server
      .receivedAt(`/status/${status}?then-ok`)
      .map(({ headers }) => headers['idempotency-key'])
    expect(keys).toEqual([task.id, task.id])
  })

  test('is a success when the input lists it in expect.status', async () => {
    const expected = { expect: { status: [200, '404-410'] } }
    expect(await run({ url: `${server.url}/status/410`, ...expected })).toMatchObject({
      status: 'SUCCESS',
      result: { status: 410 },
    })
    expect(await run({ url: `${server.url}/status/201`, ...expected })).toMatchObject({ status: 'FAILURE' })
  })

  test.each([429, 503, 500])('is retried no earlier than its Retry-After: %i', async (status) => {
    const url = `${server.url}/status/${status}?retry-after=120`
    const { id } = await system.submit('http_request', { url })
    const task = await system.taskWhen(id, (now) => now.status === 'RETRY')
    const endedMs = Date.parse(task.attempts[0]?.ended_at ?? '')
    expect(Date.parse(task.run_at) - endedMs).toBeGreaterThanOrEqual(119_990)
    expect(task.error).toMatchObject({ name: 'RetryLaterError', retryable: true })
    await system.request('POST', `/v1/tasks/${id}/cancel`)
  })
})

describe('the Retry-After header', () => {
  const nowMs = Date.parse('2030-01-01T00:00:00Z')

  test.each<[header: string | undefined, delayMs: number | undefined]>([
    ['120', 120_000],
    [' 7 ', 7_000],
    ['Tue, 01 Jan 2030 00:01:00 GMT', 60_000],
    ['Tuesday, 01-Jan-30 00:01:00 GMT', 60_000],
    ['604800', 86_400_000],
    ['99999999999999999999999999', 86_400_000],
    ['Tue, 31 Dec 2030 00:00:00 GMT', 86_400_000],
    ['0', undefined],
    ['-5', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    ['2030-01-02', undefined],
    ['Mon, 31 Dec 2029 23:59:59 GMT', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%s means %s ms', (header, delayMs) => {
    expect(retryAfterMs(header, nowMs)).toBe(delayMs)
  })
})

describe('the network', () => {
  test.each([
    ['that refuses the connection', () => 'http://127.0.0.1:1/', 'the connection was refused'],
    ['that closes the connection', () => `${server.url}/broken`, 'the connection was closed before'],
  ])('a request to a server %s is retried', async (_kind, url, reason) => {
    const task = await run({ url: url() }, { max_retries: 1 })
    expect(task).toMatchObject({ status: 'FAILURE', attempt: 2, error: { retryable: true } })
    expect(task.error?.message).toContain(reason)
  })

  test('a request without a response is aborted at the timeout of the task and retried', async () => {
    const task = await run({ url: `${server.url}/no-response` }, { timeout_seconds: 0.3, max_retries: 1 })
    expect(task).toMatchObject({ status: 'FAILURE', attempt: 2, error: { name: 'TimeoutError' } })
    expect(server.receivedAt('/no-response')).toHaveLength(2)
  })

  test('a pending request is aborted when its task is cancelled', async () => {
    const path = '/no-response?for-ever'
    const { id } = await system.submit('http_request', { url: server.url + path })
    await until(
      async () => server.receivedAt(path).length,
      (count) => count === 1,
    )
    await system.request('POST', `/v1/tasks/${id}/cancel`)
    expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'CANCELLED' })
  })
})

describe('a redirect', () => {
  const secret = { Authorization: 'Bearer x', Cookie: 'a=b', 'X-Api-Key': 'y' }

  test.each([
    [301, 'POST', 'GET'],
    [302, 'POST', 'GET'],
    [303, 'POST', 'GET'],
    [303, 'PUT', 'GET'],
    [303, 'HEAD', 'HEAD'],
    [301, 'PUT', 'PUT'],
    [302, 'DELETE', 'DELETE'],
    [307, 'POST', 'POST'],
    [308, 'PATCH', 'PATCH'],
  ])('with %i after %s is followed with %s', async (status, method, next) => {
    const target = `/after-${status}-${method}`
    const body = method === 'HEAD' || method === 'DELETE' ? undefined : { a: 1 }
    const url = `${server.url}/status/${status}?to=${target}`
    const task = await run({ url, method, body, headers: secret })
    expect(task).toMatchObject({ status: 'SUCCESS', result: { url: server.url + target } })
    const [sent] = server.receivedAt(target)
    expect(sent).toMatchObject({ method: next, body: next === method && body ? '{"a":1}' : '' })
    // Headers of the input are kept, because the redirect stays on the same origin.
    expect(sent?.headers).toMatchObject({ authorization: 'Bearer x', cookie: 'a=b', 'x-api-key': 'y' })
    // The Idempotency-Key belongs to the original request.
    const isOriginal = sent?.headers['idempotency-key'] !== undefined
    expect(isOriginal).toBe(next === method && method !== 'HEAD')
  })

  test('to another origin keeps the body and drops the headers of the input', async () => {
    const url = `${server.url}/status/307?to=${other.url}/elsewhere`
    expect(await run({ url, body: { a: 1 }, headers: secret })).toMatchObject({ result: { body: 'other' } })
    const [sent] = other.receivedAt('/elsewhere')
    expect(sent).toMatchObject({ method: 'POST', body: '{"a":1}' })
    for (const name of Object.keys(secret)) expect(sent?.headers).not.toHaveProperty(name.toLowerCase())
    expect(sent?.headers).toMatchObject({ host: `127.0.0.1:${other.port}`, 'user-agent': 'Waggle' })
  })

  test('is followed at most five times', async () => {
    const chain = (hops: number): string =>
      hops === 0 ? '/end' : `/status/302?to=${encodeURIComponent(chain(hops - 1))}`
    expect(await run({ url: server.url + chain(5), method: 'GET' })).toMatchObject({ status: 'SUCCESS' })
    expect(await run({ url: server.url + chain(6), method: 'GET' })).toMatchObject({
      status: 'FAILURE',
      failures: 1,
      error: { message: expect.stringContaining('redirected more than 5 times') },
    })
  })

  test('is not followed when its status is expected', async () => {
    const url = `${server.url}/status/302?to=/never`
    expect(await run({ url, expect: { status: [302] } })).toMatchObject({
      result: { status: 302, headers: { location: '/never' } },
    })
    expect(server.receivedAt('/never')).toEqual([])
  })
})

describe('a submission is rejected for an invalid input at', () => {
  const url = 'https://example.com/'
  test.each<[pointer: string, input: object]>([
    ['#/input/url', {}],
    ['#/input/url', { url: 'ftp://example.com/' }],
    ['#/input/url', { url: '/relative' }],
    ['#/input/url', { url: 'http://ada:secret@example.com/' }],
    ['#/input/url', { url: `https://example.com/${'x'.repeat(2_048)}` }],
    ['#/input/url', { url: 'http://169.254.169.254/latest/' }],
    ['#/input/url', { url: 'http://[::ffff:10.0.0.1]/' }],
    ['#/input/method', { url, method: 'TRACE' }],
    ['#/input/body', { url, method: 'GET', body: 'x' }],
    ['#/input/body', { url, body: 'x'.repeat(256 * 1_024 + 1) }],
    ['#/input/headers/Host', { url, headers: { Host: 'internal' } }],
    ['#/input/headers/transfer-encoding', { url, headers: { 'transfer-encoding': 'chunked' } }],
    ['#/input/headers/content-length', { url, headers: { 'content-length': '1' } }],
    ['#/input/headers/connection', { url, headers: { connection: 'close' } }],
    ['#/input/headers/a%20b', { url, headers: { 'a b': 'c' } }],
    ['#/input/headers/x', { url, headers: { x: 'a\r\nHost: b' } }],
    ['#/input/headers', { url, headers: Object.fromEntries(Array.from({ length: 51 }, (_, n) => [n, ''])) }],
    ['#/input/expect/status/0', { url, expect: { status: ['2xx'] } }],
    ['#/input/proxy', { url, proxy: 'http://127.0.0.1' }],
    ['#/input/sign', { url, sign: true }],
  ])('%s', async (pointer, input) => {
    await expect(system.service.submit('http_request', input, {}, ['input'])).rejects.toMatchObject({
      code: 'invalid_input',
      faults: [expect.objectContaining({ pointer })],
    })
  })
})

function run(input: object, options?: object): Promise<FullTask> {
  return system.submit('http_request', input, options).then(({ id }) => system.taskWhenFinal(id))
}
