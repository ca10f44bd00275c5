// Protection of an API without keys from pages of other sites, which can make a browser send requests.
import { request as httpRequest } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApp } from '../../src/api/app.ts'
import { isLoopback } from '../../src/api/http/same-site.ts'
import { createTestKeys } from '../support/api-keys.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

const ALLOWED_ORIGIN = 'https://app.example.com'
const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' }
const CROSS = { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example' }
// Requests for images and links have no Origin header.
const CROSS_GET = { 'Sec-Fetch-Site': 'cross-site' }

let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ worker: false, corsOrigins: [ALLOWED_ORIGIN] })
})
afterAll(() => system.stop())

/** Sends a request with `node:http`, because `fetch` sets `Sec-Fetch-*` and `Host` itself. */
function statusOf(method: string, path: string, headers: Record<string, string>, body = ''): Promise<number> {
  const { hostname, port } = new URL(system.url)
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ hostname, port, method, path, headers, agent: false }, (incoming) => {
      incoming.resume()
      resolve(incoming.statusCode ?? 0)
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

describe('a page of another site', () => {
  test.each([
    ['POST', '/v1/queues/default/pause', CROSS],
    ['POST', '/v1/queues/default/pause', { ...CROSS, 'Sec-Fetch-Site': 'same-site' }],
    ['POST', '/v1/queues/default/pause', { ...CROSS, Origin: 'null' }],
    // Browsers omit Sec-Fetch-Site for a server that they reach by plain HTTP under another name than
    // localhost.
    ['POST', '/v1/queues/default/pause', { Origin: 'https://evil.example' }],
    ['POST', '/v1/queues/default/pause', { Origin: 'http://127.0.0.1:1' }],
    ['POST', '/v1/queues/default/pause', { Origin: 'null' }],
    ['POST', '/notify', { Origin: 'https://evil.example', ...FORM }],
    ['POST', '/notify', { ...CROSS, ...FORM }],
    ['POST', '/submit_task', { ...CROSS, ...FORM }],
    ['GET', '/submit_task?x=1&y=2', CROSS_GET],
    ['GET', '/submit_task?x=1&y=2', { ...CROSS_GET, 'Sec-Fetch-Mode': 'navigate' }],
  ])('cannot make a browser send %s %s with %j', async (method, path, headers) => {
    expect(await statusOf(method, path, headers, 'email=a@example.com')).toBe(403)
    expect(await system.countByStatus()).toEqual({})
  })

  test('gets a problem document with the reason', async () => {
    const app = createApp({ ...system.dependencies, corsOrigins: [] })
    const response = await app.request('/v1/queues/default/pause', { method: 'POST', headers: CROSS })
    expect(await response.json()).toMatchObject({ status: 403, type: 'urn:waggle:problem:forbidden' })
  })

  test.each(['/v1/definitions', '/docs', '/openapi.json', '/v1/tasks'])(
    'can link to read-only routes: %s',
    async (path) => {
      expect(await statusOf('GET', path, { ...CROSS_GET, 'Sec-Fetch-Mode': 'navigate' })).toBe(200)
    },
  )

  test('can send any request to /health', async () => {
    expect(await statusOf('POST', '/health', { ...CROSS, Host: 'evil.example' })).toBe(200)
  })
})

test.each([
  ['a program', {}],
  ['a page of the same origin', { 'Sec-Fetch-Site': 'same-origin', Origin: 'http://127.0.0.1:8000' }],
  [
    'a page of the same origin, without Sec-Fetch-Site',
    { Origin: 'http://localhost:8000', Host: 'localhost:8000' },
  ],
  ['a page of a configured origin, without Sec-Fetch-Site', { Origin: ALLOWED_ORIGIN }],
  ['an address that a user typed', { 'Sec-Fetch-Site': 'none' }],
  ['a page of a configured origin', { 'Sec-Fetch-Site': 'cross-site', Origin: ALLOWED_ORIGIN }],
])('a request from %s is accepted', async (_origin, headers: Record<string, string>) => {
  expect(await statusOf('POST', '/v1/queues/default/resume', headers)).toBe(200)
})

describe('on the loopback interface the host name', () => {
  test.each([
    'evil.example',
    'evil.example:8000',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    '10.0.0.1',
  ])('%s is rejected', async (host) => {
    expect(await statusOf('GET', '/v1/tasks', { Host: host })).toBe(403)
  })

  test.each([
    'localhost',
    'LOCALHOST:8000',
    '127.0.0.1:1',
    '127.1.2.3',
    '[::1]',
    '[::1]:8000',
    'app.example.com',
  ])('%s is accepted', async (host) => {
    expect(await statusOf('GET', '/v1/tasks', { Host: host })).toBe(200)
  })
})

describe('host names are not checked', () => {
  const requestWithUnknownHost = (changes: object) =>
    createApp({ ...system.dependencies, ...changes }).request('/v1/tasks', {
      headers: { Host: 'evil.example' },
    })

  test.each(['0.0.0.0', '::', '10.1.2.3', undefined])('when the API listens on %s', async (listensOn) => {
    expect((await requestWithUnknownHost({ listensOn })).status).toBe(200)
    expect((await requestWithUnknownHost({ listensOn: '127.0.0.1' })).status).toBe(403)
  })

  test('when the API requires keys: the response is 401', async () => {
    const { apiKeys } = createTestKeys({ ci: ['read'] })
    const closed = await startSystem({ worker: false, apiKeys })
    const response = await createApp(closed.dependencies).request('/v1/tasks', {
      headers: { ...CROSS, Host: 'evil.example' },
    })
    expect(response.status).toBe(401)
    await closed.stop()
  })
})

test.each([
  ['localhost', true],
  ['app.localhost', true],
  ['127.0.0.1', true],
  ['127.255.0.1', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['0.0.0.0', false],
  ['::', false],
  ['192.168.0.1', false],
  ['localhost.example.com', false],
])('isLoopback(%j) is %s', (name, expected) => {
  expect(isLoopback(name)).toBe(expected)
})

describe('the state of the reload in `dev`', () => {
  const error = '/home/ada/tasks/hello.ts:1 SyntaxError'
  const read = (changes: object, headers = {}) => {
    const dependencies = { ...system.dependencies, reloadState: () => ({ version: 2, error }), ...changes }
    return createApp(dependencies).request('/dev/reload', { headers })
  }

  test('has the error, and is refused to an unknown host', async () => {
    expect(await (await read({})).json()).toEqual({ version: 2, error })
    expect((await read({ listensOn: '127.0.0.1' }, { Host: 'evil.example' })).status).toBe(403)
  })

  test('has no error of code if the API requires keys', async () => {
    const { apiKeys } = createTestKeys({ ci: ['read'] })
    expect(await (await read({ apiKeys })).json()).toEqual({
      version: 2,
      error: 'The terminal shows the error',
    })
  })

  test('does not exist in other commands', async () => {
    expect((await createApp(system.dependencies).request('/dev/reload')).status).toBe(404)
  })
})
