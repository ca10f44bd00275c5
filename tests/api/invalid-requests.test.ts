// Requests with an unknown path, method, id or query, and internal errors: each gets a problem document.
import { request as httpRequest } from 'node:http'
import { beforeAll, describe, expect, test } from 'vitest'
import { sql } from '../../src/store/drizzle.ts'
import type { TestSystem } from '../support/system.ts'
import {
  expectProblem,
  JSON_TYPE,
  SUBMISSIONS,
  send,
  setUpSystem,
  UNKNOWN_ID,
  urlOf,
} from './support/problem-requests.ts'

const { system: started, errorsOfTest, ignoreFirstError } = setUpSystem()
let system: TestSystem
beforeAll(() => {
  system = started()
})

describe('an unknown definition gets 404 with suggestions', () => {
  test.each([
    ['revers', 'Did you mean "reverse"?'],
    ['Divide', 'Did you mean "divide"?'],
    ['something_else', 'notify, email, reverse, sentiment, divide'],
    ['constructor', 'Known tasks'],
    ['__proto__', 'Known tasks'],
    ['%00', 'Known tasks'],
    ['..%2F..%2Fetc%2Fpasswd', 'Known tasks'],
    ['x'.repeat(300), 'Known tasks'],
  ])('%s', async (name, hint) => {
    const sent = { headers: JSON_TYPE, body: '{"input":{}}' }
    const problem = expectProblem(await send(system, 'POST', `/v1/tasks/${name}`, sent), 404)
    expect(problem.detail).toContain(hint)
  })
})

describe('an unknown or malformed id gets 404', () => {
  const IDS = [UNKNOWN_ID, '1', '%00', "'%20or%201=1--", `${UNKNOWN_ID}%00`, '%FF', 'x'.repeat(300)]
  const PLACES = [
    ['GET', (id: string) => `/v1/tasks/${id}`],
    ['GET', (id: string) => `/v1/tasks/${id}?wait=1`],
    ['POST', (id: string) => `/v1/tasks/${id}/cancel`],
    ['POST', (id: string) => `/v1/tasks/${id}/retry`],
    ['GET', (id: string) => `/task_status/${id}`],
    ['GET', (id: string) => `/check_task/${id}`],
  ] as const
  const cases = PLACES.flatMap(([method, pathOf]) => IDS.map((id) => [method, pathOf(id)] as const))
  test.each(cases)('%s %s', async (method, path) => {
    expectProblem(await send(system, method, path), 404)
  })
})

describe('an unsupported method gets 405 with the allowed methods', () => {
  test.each([
    ['GET', '/notify', 'POST'],
    ['PUT', '/notify/', 'POST'],
    ['DELETE', '/submit_task', 'POST, GET, HEAD'],
    ['POST', `/task_status/${UNKNOWN_ID}`, 'GET, HEAD'],
    ['PATCH', `/check_task/${UNKNOWN_ID}`, 'GET, HEAD'],
    ['POST', '/v1/definitions', 'GET, HEAD'],
    ['DELETE', '/v1/tasks', 'GET, HEAD'],
    ['DELETE', `/v1/tasks/${UNKNOWN_ID}`, 'POST, GET, HEAD'],
    ['GET', `/v1/tasks/${UNKNOWN_ID}/cancel`, 'POST'],
    ['PUT', `/v1/tasks/${UNKNOWN_ID}/retry`, 'POST'],
    ['POST', '/v1/workers', 'GET, HEAD'],
    ['TRACE', '/v1/stats', 'GET, HEAD'],
    ['PROPFIND', '/v1/tasks', 'GET, HEAD'],
  ])('%s %s', async (method, path, allowed) => {
    const response = await send(
      system,
      method,
      path,
      method === 'GET' ? {} : { headers: JSON_TYPE, body: '' },
    )
    expectProblem(response, 405)
    expect(response.headers.allow).toBe(allowed)
  })

  test.each(['/nothing', '/v1', '/v1/tasks/', '/v1/nothing', '//v1/tasks', '/V1/tasks'])(
    'an unknown path gets 404 for every method: %s',
    async (path) => {
      for (const method of ['GET', 'POST', 'DELETE']) expectProblem(await send(system, method, path), 404)
    },
  )
})

describe('an invalid query gets 400 with the name of the parameter', () => {
  const far = '9999-12-31T23:59:59.999Z'
  test.each([
    ['status', 'DONE'],
    ['status', ''],
    ['status', 'PENDING,'],
    ['status', 'pending'],
    ['name', ''],
    ['name', '%00'],
    ['name', 'a%0Ab'],
    ['name', 'x'.repeat(65)],
    ['queue', '%00'],
    ['queue', 'A'],
    ['queue', "';--"],
    ['worker', '1'],
    ['worker', '%00'],
    ['tag', '%00'],
    ['tag', ''],
    ['id', 'xyz'],
    ['id', '%00'],
    ['id', '%25'],
    ['id', 'a'.repeat(33)],
    ['id', 'a'.repeat(36)],
    ['id', 'a'.repeat(37)],
    ['created_after', 'yesterday'],
    ['created_after', '%00'],
    ['created_after', '2024-13-01T00:00:00Z'],
    ['created_before', '2024-01-01'],
    ['created_before', '+275760-09-13T00:00:00.001Z'],
    ['limit', '0'],
    ['limit', '201'],
    ['limit', '1.5'],
    ['limit', 'many'],
    ['limit', '1&limit=2'],
    ['cursor', '1'],
    ['cursor', '%00'],
    ['cursor', ''],
    ['limit', '0x10'],
    ['limit', ''],
    ['statuss', 'FAILURE'],
    ['poll_token', 'x'],
    ['constructor', '1'],
    ['__proto__[x]', '1'],
  ])('GET /v1/tasks?%s=%s', async (name, value) => {
    expect(expectProblem(await send(system, 'GET', `/v1/tasks?${name}=${value}`), 400).detail).toContain(
      `"${name}`,
    )
  })

  test.each([
    [`/v1/tasks/${UNKNOWN_ID}?waits=1`, 'waits'],
    [`/v1/tasks/${UNKNOWN_ID}?wait=0x10`, 'wait'],
    ['/v1/stats?windw=60', 'windw'],
  ])('GET %s', async (path, name) => {
    expect(expectProblem(await send(system, 'GET', path), 400).detail).toContain(`"${name}"`)
  })

  test.each(['0', '59', '604801', 'week', '%00'])('GET /v1/stats?window=%s', async (window) => {
    expect(expectProblem(await send(system, 'GET', `/v1/stats?window=${window}`), 400).detail).toContain(
      '"window"',
    )
  })

  test.each([
    `created_before=${far}`,
    'created_after=0000-01-01T00:00:00Z',
    `created_after=${far}&created_before=0001-01-01T00:00:00Z`,
    'created_after=2024-01-01T00:00:00.123456789012345678Z',
    'created_before=9999-12-31T23:59:59-23:59',
    'id=-',
    'id=------------------------------------',
    `id=${'f'.repeat(32)}`,
    `cursor=${UNKNOWN_ID}`,
    'cursor=ffffffff-ffff-ffff-ffff-ffffffffffff',
    'name=%ED%A0%80',
    'name=%FF',
    'tag={a,b}',
    'tag=%22',
    'tag=%5C',
  ])('but an unusual valid query gets 200: ?%s', async (query) => {
    expect((await send(system, 'GET', `/v1/tasks?${query}`)).status).toBe(200)
  })
})

describe('a malformed HTTP request', () => {
  test.each([
    ['with a backslash in the path', '/v1\\tasks', {}],
    ['with an invalid Host', '/v1/tasks', { Host: 'a b' }],
  ])('%s gets 400', async (_kind, path, headers: Record<string, string>) => {
    expectProblem(await send(system, 'GET', path, { headers }), 400)
  })

  test.each(SUBMISSIONS)('that is cut off while it is sent to %s causes no internal error', async (path) => {
    await disconnectWhileSending(path, JSON_TYPE)
    await disconnectWhileSending(path, { ...JSON_TYPE, 'Content-Length': '1000' })
  })
})

test('an internal error gets 500 and is logged; the response does not contain its cause', async () => {
  const { database } = system.connections
  const { id } = await system.submit('divide', { x: 1, y: 0 })
  await system.taskWhenFinal(id)
  await database.query(sql`alter table attempts rename to misplaced`)
  const problem = expectProblem(await send(system, 'GET', `/v1/tasks/${id}`), 500)
  await database.query(sql`alter table misplaced rename to attempts`)
  expect(problem).toMatchObject({ title: 'Internal Server Error', detail: 'Internal error' })
  expect(errorsOfTest()).toMatchObject([{ where: `GET /v1/tasks/${id}` }])
  ignoreFirstError()
})

async function disconnectWhileSending(path: string, headers: Record<string, string>) {
  const outgoing = httpRequest({ ...urlOf(system), method: 'POST', path, headers, agent: false })
  const closed = new Promise((resolve) => outgoing.once('close', resolve))
  outgoing.on('error', () => {})
  outgoing.write('{"input":')
  // The response to a second request shows that the server has read the beginning of the first.
  await send(system, 'GET', '/health')
  outgoing.destroy()
  await closed
}
