// Limits how many requests a client can send in a time window.
import { afterEach, describe, expect, test } from 'vitest'
import { createRateLimiter } from '../../src/redis/rate-limiter.ts'
import { createTestKeys } from '../support/api-keys.ts'
import { type SystemOptions, startSystem, type TestSystem, until } from '../support/system.ts'

const keys = createTestKeys({ one: ['submit', 'read'], other: ['submit', 'read'] })
const REVERSE = { input: { text: 'ab' } }

const started: TestSystem[] = []
async function start(options: SystemOptions): Promise<TestSystem> {
  const system = await startSystem({ worker: false, ...options })
  started.push(system)
  return system
}
afterEach(() => Promise.all(started.splice(0).map((system) => system.stop())))

const submit = (system: TestSystem, headers: Record<string, string> = {}) =>
  system.request('POST', '/v1/tasks/reverse', REVERSE, headers)

test('a request beyond the limit gets 429 with Retry-After, and submissions succeed again after the window', async () => {
  const system = await start({ rateLimit: { requests: 3, seconds: 2 } })
  for (const remaining of [2, 1, 0]) {
    const { status, headers } = await submit(system)
    expect(status).toBe(202)
    expect(headers.get('RateLimit-Policy')).toBe('"default";q=3;w=2')
    expect(headers.get('RateLimit')).toMatch(new RegExp(`^"default";r=${remaining};t=[12]$`))
  }
  const refused = await submit(system)
  expect(refused.status).toBe(429)
  expect(refused.headers.get('Content-Type')).toBe('application/problem+json')
  expect(refused.body).toMatchObject({ type: 'urn:waggle:problem:rate_limited', status: 429 })
  expect(refused.headers.get('RateLimit')).toMatch(/^"default";r=0;t=[12]$/)
  expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThan(0)
  expect(Number(refused.headers.get('Retry-After'))).toBeLessThanOrEqual(2)
  await until(
    () => submit(system),
    ({ status }) => status === 202,
  )
})

test('a request beyond the limit creates no task', async () => {
  const system = await start({ rateLimit: { requests: 5, seconds: 60 } })
  const responses = await Promise.all(Array.from({ length: 20 }, () => submit(system)))
  expect(responses.filter(({ status }) => status === 202)).toHaveLength(5)
  expect(await system.countByStatus()).toEqual({ PENDING: 5 })
})

test('reading tasks is not limited', async () => {
  const system = await start({ rateLimit: { requests: 1, seconds: 60 } })
  const { id } = (await submit(system)).body as { id: string }
  for (let count = 0; count < 10; count++) {
    const { status, headers } = await system.request('GET', `/v1/tasks/${id}`)
    expect([status, headers.get('RateLimit')]).toEqual([200, null])
  }
})

test('lists are not limited, but searches in inputs and results and counts are', async () => {
  const system = await start({ rateLimit: { requests: 1, seconds: 60 } })
  for (const path of ['/v1/tasks', '/v1/tasks?status=PENDING&name=reverse', '/v1/tasks?tag=q']) {
    const { status, headers } = await system.request('GET', path)
    expect([path, status, headers.get('RateLimit')]).toEqual([path, 200, null])
  }
  const first = await system.request('GET', '/v1/tasks?q=abc')
  expect([first.status, first.headers.get('RateLimit-Policy')]).toEqual([200, '"default";q=1;w=60'])
  for (const path of ['/v1/tasks?q=abc', '/v1/tasks?input.text=abc', '/v1/tasks/count']) {
    const { status, headers } = await system.request('GET', path)
    expect([path, status, headers.get('Retry-After')]).toEqual([path, 429, expect.stringMatching(/^\d+$/)])
  }
})

describe('a client is identified', () => {
  test('by its API key', async () => {
    const system = await start({ rateLimit: { requests: 1, seconds: 60 }, apiKeys: keys.apiKeys })
    expect((await submit(system, keys.headers('one'))).status).toBe(202)
    expect((await submit(system, keys.headers('one'))).status).toBe(429)
    expect((await submit(system, keys.headers('other'))).status).toBe(202)
  })

  test('by its address without a key; X-Forwarded-For is ignored', async () => {
    const system = await start({ rateLimit: { requests: 1, seconds: 60 } })
    expect((await submit(system, { 'X-Forwarded-For': '203.0.113.1' })).status).toBe(202)
    expect((await submit(system, { 'X-Forwarded-For': '203.0.113.2' })).status).toBe(429)
  })

  test('by the address that the trusted proxy appended', async () => {
    const system = await start({ rateLimit: { requests: 1, seconds: 60 }, trustedProxies: 1 })
    const from = (forwarded: string) => submit(system, { 'X-Forwarded-For': forwarded })
    expect((await from('203.0.113.1')).status).toBe(202)
    expect((await from('203.0.113.2')).status).toBe(202)
    // Entries before the last one were written by the client.
    expect((await from('203.0.113.99, 203.0.113.1')).status).toBe(429)
  })
})

test.each([
  ['requests from one address and two ports share a limit', '203.0.113.1:5555', '203.0.113.1:6666', 429],
  [
    'an IPv4-mapped IPv6 address shares the limit of the IPv4 address',
    '::ffff:203.0.113.1',
    '203.0.113.1',
    429,
  ],
  ['two IPv6 addresses in one /64 network share a limit', '2001:db8::1', '[2001:db8::ffff:2]:443', 429],
  ['two IPv6 networks have separate limits', '2001:db8:0:1::1', '2001:db8:0:2::1', 202],
])('%s: %s and %s', async (_what, first, second, status) => {
  const system = await start({ rateLimit: { requests: 1, seconds: 60 }, trustedProxies: 1 })
  expect((await submit(system, { 'X-Forwarded-For': first })).status).toBe(202)
  expect((await submit(system, { 'X-Forwarded-For': second })).status).toBe(status)
})

test('two API processes share one count', async () => {
  const system = await start({ rateLimit: { requests: 2, seconds: 60 } })
  const other = createRateLimiter({
    redisUrl: system.redis.url,
    limit: { requests: 2, seconds: 60 },
    onError: () => {},
  })
  await until(
    () => other.count('address:127.0.0.1'),
    (state) => state !== null,
  )
  expect((await submit(system)).status).toBe(202)
  expect((await submit(system)).status).toBe(429)
  await other.stop()
})

test('no request is limited while Redis is unavailable, and error.transient is logged', async () => {
  const system = await start({ rateLimit: { requests: 1, seconds: 60 } })
  expect((await submit(system)).status).toBe(202)
  expect((await submit(system)).status).toBe(429)
  process.kill(system.redis.pid, 'SIGKILL')
  for (let count = 0; count < 3; count++) expect((await submit(system)).status).toBe(202)
  expect(system.emitted('error.transient').map(({ where }) => where)).toContain(
    'rate limiter, no request is limited',
  )
})

test('requests are still accepted when Redis does not respond', async () => {
  const system = await start({ rateLimit: { requests: 1, seconds: 60 } })
  expect((await submit(system)).status).toBe(202)
  process.kill(system.redis.pid, 'SIGSTOP')
  try {
    for (let count = 0; count < 5; count++) expect((await submit(system)).status).toBe(202)
  } finally {
    process.kill(system.redis.pid, 'SIGCONT')
  }
})
