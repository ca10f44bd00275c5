// Hostile requests as raw bytes to a system with API keys. None is accepted without a key.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApiKey } from '../../src/api/http/api-keys.ts'
import { readConfig } from '../../src/config.ts'
import { ATTACKS } from '../support/attacks.ts'
import { exchange, type RawHeaders, requestOf } from '../support/raw-http.ts'
import { startSystem, type TestSystem } from '../support/system.ts'
import {
  anything,
  createHarmlessCheck,
  createOneFilePage,
  fillIn,
  prepareTasks,
} from './support/hostile-requests.ts'

const { webRoot, remove } = createOneFilePage()
afterAll(remove)
const expectHarmless = createHarmlessCheck(webRoot)

describe('a system with API keys', () => {
  let system: TestSystem
  const { key, entry } = createApiKey('tests', ['submit', 'read', 'operate'])
  let finished = ''
  let waiting = ''
  beforeAll(async () => {
    const apiKeys = readConfig({ API_KEYS: entry }).API_KEYS
    system = await startSystem({ definitions: [anything], webRoot, apiKeys })
    ;[finished, waiting] = await prepareTasks(system, { Authorization: `Bearer ${key}` })
  })
  afterAll(() => system.stop())

  test.each(ATTACKS)('$name', async ({ request, expected, isPublic }) => {
    const response = await exchange(system.url, fillIn(request, finished, waiting))
    expectHarmless(response, isPublic ? expected : [0, 400, 401, 403, 404, 405, 413, 431])
  })

  test('has reported no internal error, created no task and paused no queue', async () => {
    expect(system.emitted('error.unexpected')).toEqual([])
    const { body } = await system.request('GET', '/v1/tasks', undefined, { 'X-API-Key': key })
    const ids = (body as { data: { id: string }[] }).data.map(({ id }) => id)
    expect(ids).toEqual([waiting, finished])
    const queues = await system.request('GET', '/v1/queues', undefined, { 'X-API-Key': key })
    expect((queues.body as { data: { is_paused: boolean }[] }).data.some(({ is_paused }) => is_paused)).toBe(
      false,
    )
  })

  const PROTECTED_ROUTES: [method: string, path: string, body?: string][] = [
    ['POST', '/notify', '{"email":"a@example.com"}'],
    ['POST', '/notify/', '{"email":"a@example.com"}'],
    ['POST', '/submit_task', '{"form_type":"reverse","text":"a"}'],
    ['GET', '/submit_task?x=1&y=1'],
    ['GET', '/task_status/{finished}'],
    ['GET', '/check_task/{finished}'],
    ['GET', '/v1/definitions'],
    ['GET', '/v1/tasks'],
    ['GET', '/v1/tasks/{finished}'],
    ['GET', '/v1/tasks/{finished}?wait=1'],
    ['GET', '/v1/tasks/{finished}/events'],
    ['POST', '/v1/tasks/reverse', '{"input":{"text":"a"}}'],
    ['POST', '/v1/tasks/batch', '{"tasks":[{"name":"anything","input":1}]}'],
    ['POST', '/v1/tasks/{waiting}/cancel'],
    ['POST', '/v1/tasks/{waiting}/retry'],
    ['POST', '/v1/tasks/{finished}/replay'],
    ['GET', '/v1/workers'],
    ['GET', '/v1/stats'],
    ['GET', '/v1/queues'],
    ['POST', '/v1/queues/default/pause'],
    ['POST', '/v1/queues/default/resume'],
  ]
  test.each(PROTECTED_ROUTES)(
    '%s %s gets 401 for a valid request without a key',
    async (method, path, body) => {
      const headers: RawHeaders = body === undefined ? [] : [['Content-Type', 'application/json']]
      const request = fillIn(requestOf(method, path, headers, body), finished, waiting)
      expectHarmless(await exchange(system.url, request), [401])
    },
  )

  const CREDENTIALS: [name: string, headers: RawHeaders][] = [
    ['an empty Authorization', [['Authorization', '']]],
    ['Bearer without a key', [['Authorization', 'Bearer']]],
    ['the key without a scheme', [['Authorization', key]]],
    ['the key as a password', [['Authorization', `Basic ${btoa(`:${key}`)}`]]],
    ['the entry instead of the key', [['Authorization', `Bearer ${entry}`]]],
    ['half of the key', [['Authorization', `Bearer ${key.slice(0, 20)}`]]],
    ['the key with an appended character', [['Authorization', `Bearer ${key}x`]]],
    ['the key in capitals', [['X-API-Key', key.toUpperCase()]]],
    [
      'two keys, the right one first',
      [
        ['Authorization', `Bearer ${key}`],
        ['Authorization', 'Bearer x'],
      ],
    ],
    [
      'two keys, the right one last',
      [
        ['X-API-Key', 'x'],
        ['X-API-Key', key],
      ],
    ],
    ['an empty key', [['X-API-Key', '']]],
    ['a key of 8,000 characters', [['X-API-Key', 'k'.repeat(8_000)]]],
    ['a key of invalid UTF-8', [['X-API-Key', '\xff\xfe']]],
    ['the key in a cookie', [['Cookie', `Authorization=Bearer ${key}`]]],
    [
      'headers of a proxy',
      [
        ['X-Forwarded-User', 'admin'],
        ['X-Original-URL', '/health'],
      ],
    ],
  ]
  test.each(CREDENTIALS)('is not opened by %s', async (_name, headers) => {
    const response = await exchange(system.url, requestOf('GET', '/v1/tasks', headers))
    expectHarmless(response, [401])
  })

  test('accepts X-API-Key next to an Authorization header for another system', async () => {
    const headers = { Authorization: 'Bearer eyJhbGciOiJub25lIn0', 'X-API-Key': key }
    expect((await system.request('GET', '/v1/tasks', undefined, headers)).status).toBe(200)
  })

  test('accepts a key after thousands of other headers', async () => {
    const headers: RawHeaders = [...new Array(2_500).fill(['a', '']), ['X-API-Key', key]]
    expect((await exchange(system.url, requestOf('GET', '/v1/tasks', headers))).status).toBe(200)
  })

  const TOKENS = [
    '',
    'poll_token',
    'poll_token=',
    'poll_token=x',
    `poll_token=${'x'.repeat(8_000)}`,
    'poll_token[]=x',
    'poll_token=x&poll_token=y',
    'poll_token=%00',
    'poll_token=%FF',
    `poll_token=${key}`,
    'POLL_TOKEN=x',
    '__proto__[poll_token]=x',
  ]
  test.each(TOKENS)('rejects an invalid poll token: ?%s', async (search) => {
    const response = await exchange(system.url, requestOf('GET', `/v1/tasks/${finished}?${search}`))
    expectHarmless(response, [401])
  })

  test('accepts the poll token of a task only for reading this task', async () => {
    const submitted = await system.request(
      'POST',
      '/v1/tasks/anything',
      { input: 1, options: { queue: 'unserved' } },
      { 'X-API-Key': key },
    )
    const { id, poll_token: token } = submitted.body as { id: string; poll_token: string }
    const own = await exchange(system.url, requestOf('GET', `/v1/tasks/${id}?poll_token=${token}`))
    expect(own.status).toBe(200)
    const rejectedRequests: [string, string][] = [
      ['GET', `/v1/tasks/${finished}?poll_token=${token}`],
      ['GET', `/v1/tasks/${finished}?poll_token=x&poll_token=${token}`],
      ['GET', `/task_status/${finished}?poll_token=${token}`],
      ['GET', `/v1/tasks/${finished}/events?poll_token=${token}`],
      ['GET', `/v1/tasks?poll_token=${token}`],
      ['POST', `/v1/tasks/${id}/cancel?poll_token=${token}`],
      ['POST', `/v1/tasks/${id}/replay?poll_token=${token}`],
      ['POST', `/v1/tasks/reverse?poll_token=${token}`],
    ]
    for (const [method, path] of rejectedRequests)
      expectHarmless(await exchange(system.url, requestOf(method, path)), [401])
  })
})
