// Whatever is sent, the answer is a problem that helps and gives nothing away, and the system goes on.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Problem } from '../../src/api/http/problem.ts'
import { defineTask } from '../../src/definitions/define.ts'
import { sql } from '../../src/store/drizzle.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

const UNKNOWN_ID = '01890000-0000-7000-8000-000000000000'
const BODY_LIMIT = 256 * 1024
const JSON_TYPE = { 'Content-Type': 'application/json' }
const FORM_TYPE = { 'Content-Type': 'application/x-www-form-urlencoded' }

const labels = defineTask({
  name: 'labels',
  title: 'Labels',
  description: 'Takes numbers by names in lower case.',
  input: z.record(z.string().regex(/^[a-z]+$/, 'must be lower case'), z.number()),
  output: z.object({}),
  example: { a: 1 },
  async run() {
    return {}
  },
})

const anything = defineTask({
  name: 'anything',
  title: 'Anything',
  description: 'Its definition refuses nothing, so that whatever is refused is refused by the system.',
  input: z.unknown(),
  output: z.unknown(),
  example: {},
  run: async () => null,
})

let system: TestSystem
const webRoot = mkdtempSync(join(tmpdir(), 'waggle-web-'))
beforeAll(async () => {
  writeFileSync(join(webRoot, 'index.html'), '<h1>The page</h1>')
  mkdirSync(join(webRoot, 'assets'))
  writeFileSync(join(webRoot, 'assets', 'index-1a2b3c.js'), '')
  system = await startSystem({ definitions: [anything, labels], webRoot })
})
afterAll(async () => {
  await system.stop()
  rmSync(webRoot, { recursive: true })
})

let bugsBefore = 0
beforeEach(() => {
  bugsBefore = system.announced('error.unexpected').length
})
afterEach(async () => {
  expect(system.announced('error.unexpected').slice(bugsBefore)).toEqual([])
  const { id } = await system.submit('reverse', { text: 'still well' })
  const { body } = await system.request('GET', `/v1/tasks/${id}?wait=20`)
  expect(body).toMatchObject({ status: 'SUCCESS' })
})

const SUBMISSIONS = ['/v1/tasks/reverse', '/notify', '/submit_task']

describe('a body that is no JSON is 400', () => {
  const BROKEN = [
    '',
    ' ',
    '{',
    '{"input":',
    "{'input':1}",
    '{"input":{}}x',
    '{"a":1,}',
    'undefined',
    '\u0000',
  ]
  const cases = SUBMISSIONS.flatMap((path) => BROKEN.map((body) => [path, body] as const))
  test.each(cases)('%s %j', async (path, body) => {
    expectProblem(await send('POST', path, { headers: JSON_TYPE, body }), 400)
  })
})

describe('a body of another type is 415', () => {
  const TYPES = [
    undefined,
    '',
    'text/plain',
    'text/json',
    'application/xml',
    'application/jsonx',
    'json',
    '\u00e4',
  ]
  const cases = SUBMISSIONS.flatMap((path) => TYPES.map((type) => ({ path, type })))
  test.each(cases)('$path: $type', async ({ path, type }) => {
    const body = '{"input":{"text":"abc"},"email":"ada@example.com"}'
    const headers: Record<string, string> = type === undefined ? {} : { 'Content-Type': type }
    expectProblem(await send('POST', path, { headers, body }), 415)
  })

  test('the tasks API takes no forms', async () => {
    const sent = { headers: FORM_TYPE, body: 'text=abc' }
    expectProblem(await send('POST', '/v1/tasks/reverse', sent), 415)
  })

  test('a form that cannot be read is 400', async () => {
    const headers = { 'Content-Type': 'multipart/form-data; boundary=x' }
    expectProblem(await send('POST', '/notify', { headers, body: 'no boundary anywhere' }), 400)
    const without = { 'Content-Type': 'multipart/form-data' }
    expectProblem(await send('POST', '/notify', { headers: without, body: 'x' }), 400)
  })
})

describe('JSON with the wrong content is 422, with a pointer to every fault', () => {
  test.each<[path: string, body: unknown, pointers: string[]]>([
    ['/v1/tasks/reverse', {}, ['#/input']],
    ['/v1/tasks/reverse', { input: null }, ['#/input']],
    ['/v1/tasks/reverse', { input: [] }, ['#/input']],
    ['/v1/tasks/reverse', { input: 'abc' }, ['#/input']],
    ['/v1/tasks/reverse', { input: {} }, ['#/input/text']],
    ['/v1/tasks/reverse', { input: { text: '' } }, ['#/input/text']],
    ['/v1/tasks/reverse', { input: { text: 7 } }, ['#/input/text']],
    ['/v1/tasks/reverse', { input: { text: ['abc'] } }, ['#/input/text']],
    ['/v1/tasks/reverse', { input: { text: 'x'.repeat(10_001) } }, ['#/input/text']],
    ['/v1/tasks/divide', { input: { x: 'ten', y: null } }, ['#/input/x', '#/input/y']],
    ['/v1/tasks/email', { input: {} }, ['#/input/recipient', '#/input/subject', '#/input/body']],
    ['/v1/tasks/reverse', { input: { text: 'abc' }, options: [] }, ['#/options']],
    ['/v1/tasks/reverse', { input: { text: 'abc' }, options: 'fast' }, ['#/options']],
    ['/v1/tasks/reverse', { input: { text: 'abc' }, 'a/b~c d': 1 }, ['#/a~1b~0c%20d']],
    ['/v1/tasks/reverse', [], ['#']],
    ['/v1/tasks/reverse', 'abc', ['#']],
    ['/v1/tasks/reverse', null, ['#']],
    ['/v1/tasks/anything', {}, ['#/input']],
    ['/notify', [], ['#']],
    ['/notify', null, ['#']],
    ['/notify', 'ada@example.com', ['#']],
    ['/notify', { email: `${'x'.repeat(300)}@example.com` }, ['#/email']],
    ['/submit_task', [], ['#']],
    ['/submit_task', { form_type: 'email', recipient: 'x' }, ['#/recipient', '#/subject', '#/body']],
  ])('%s %j', async (path, body, pointers) => {
    const problem = expectProblem(
      await send('POST', path, { headers: JSON_TYPE, body: JSON.stringify(body) }),
      422,
    )
    expect(problem.errors?.map(({ pointer }) => pointer)).toEqual(pointers)
    expect(problem.errors?.every(({ detail }) => detail.length > 0)).toBe(true)
  })

  test.each([
    ['/v1/tasks/reverse', {}, '#/input', 'must not be left out'],
    ['/v1/tasks/labels', { input: { LOUD: 1 } }, '#/input/LOUD', 'must be lower case'],
  ])('in words that help: %s %j', async (path, body, pointer, detail) => {
    const answer = await send('POST', path, { headers: JSON_TYPE, body: JSON.stringify(body) })
    expect(expectProblem(answer, 422).errors).toEqual([{ pointer, detail }])
  })

  test('a number beyond all numbers is refused where a number is asked for', async () => {
    const body = '{"input":{"x":1e999,"y":1}}'
    const problem = expectProblem(await send('POST', '/v1/tasks/divide', { headers: JSON_TYPE, body }), 422)
    expect(problem.errors?.map(({ pointer }) => pointer)).toEqual(['#/input/x'])
  })

  test('of a key that comes twice, the last one counts', async () => {
    const body = '{"input":{"text":7},"input":{"text":7,"text":"abc"}}'
    const { status, text } = await send('POST', '/v1/tasks/reverse', { headers: JSON_TYPE, body })
    expect([status, JSON.parse(text).input]).toEqual([202, { text: 'abc' }])
  })
})

describe('an unknown name is 404 and says what there is', () => {
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
    const problem = expectProblem(await send('POST', `/v1/tasks/${name}`, sent), 404)
    expect(problem.detail).toContain(hint)
  })
})

describe('an unknown or malformed id is 404', () => {
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
    expectProblem(await send(method, path), 404)
  })
})

describe('a wrong verb is 405 and says which are right', () => {
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
    const response = await send(method, path, method === 'GET' ? {} : { headers: JSON_TYPE, body: '' })
    expectProblem(response, 405)
    expect(response.headers.allow).toBe(allowed)
  })

  test.each(['/nothing', '/v1', '/v1/tasks/', '/v1/nothing', '//v1/tasks', '/V1/tasks'])(
    'what does not exist is 404 for every verb: %s',
    async (path) => {
      for (const method of ['GET', 'POST', 'DELETE']) expectProblem(await send(method, path), 404)
    },
  )
})

describe('a body over the limit is 413 and names the limit', () => {
  const tooLong = (path: string) =>
    path === '/submit_task'
      ? { headers: FORM_TYPE, body: `form_type=reverse&text=${'x'.repeat(BODY_LIMIT)}` }
      : { headers: JSON_TYPE, body: `{"input":{"text":"${'x'.repeat(BODY_LIMIT)}"}}` }

  test.each(SUBMISSIONS)('%s, with its length announced', async (path) => {
    const problem = expectProblem(await send('POST', path, tooLong(path)), 413)
    expect(problem.detail).toContain(String(BODY_LIMIT))
  })

  test.each(SUBMISSIONS)('%s, in chunks of unknown number', async (path) => {
    const problem = expectProblem(await send('POST', path, { ...tooLong(path), isChunked: true }), 413)
    expect(problem.detail).toContain(String(BODY_LIMIT))
  })

  test('a body of exactly the limit is read', async () => {
    const fill = (length: number) => `{"input":{"text":"${'x'.repeat(length)}"}}`
    const body = fill(BODY_LIMIT - fill(0).length)
    for (const isChunked of [true, false]) {
      expectProblem(await send('POST', '/v1/tasks/reverse', { headers: JSON_TYPE, body, isChunked }), 422)
    }
  })
})

describe('a bad query is 400 and names the parameter', () => {
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
    expect(expectProblem(await send('GET', `/v1/tasks?${name}=${value}`), 400).detail).toContain(`"${name}`)
  })

  test.each([
    [`/v1/tasks/${UNKNOWN_ID}?waits=1`, 'waits'],
    [`/v1/tasks/${UNKNOWN_ID}?wait=0x10`, 'wait'],
    ['/v1/stats?windw=60', 'windw'],
  ])('GET %s', async (path, name) => {
    expect(expectProblem(await send('GET', path), 400).detail).toContain(`"${name}"`)
  })

  test.each(['0', '59', '604801', 'week', '%00'])('GET /v1/stats?window=%s', async (window) => {
    expect(expectProblem(await send('GET', `/v1/stats?window=${window}`), 400).detail).toContain('"window"')
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
  ])('what can be answered is answered: ?%s', async (query) => {
    expect((await send('GET', `/v1/tasks?${query}`)).status).toBe(200)
  })
})

describe('hostile texts', () => {
  test.each<[place: string, path: string, body: unknown]>([
    ['a NUL in a tag', '/v1/tasks/reverse', { input: { text: 'a' }, options: { tags: ['\u0000'] } }],
    [
      'a lone surrogate in a tag',
      '/v1/tasks/reverse',
      { input: { text: 'a' }, options: { tags: ['\ud800'] } },
    ],
    ['a NUL in a queue', '/v1/tasks/reverse', { input: { text: 'a' }, options: { queue: 'a\u0000' } }],
    ['a line break in a queue', '/v1/tasks/reverse', { input: { text: 'a' }, options: { queue: 'a\n' } }],
    ['a NUL in an address', '/notify', { email: 'a\u0000@example.com' }],
    ['a line break in an address', '/notify', { email: 'a@example.com\nBcc: b@example.com' }],
    ['a NUL in a form type', '/submit_task', { form_type: 'reverse\u0000', text: 'a' }],
  ])('%s is 422', async (_place, path, body) => {
    expectProblem(await send('POST', path, { headers: JSON_TYPE, body: JSON.stringify(body) }), 422)
  })

  test.each([
    ['a NUL', '\u0000'],
    ['all control characters', String.fromCharCode(...Array.from({ length: 32 }, (_, code) => code))],
    ['lone surrogates', '\udc00\ud800'],
    ['markup and SQL', `<script>'; drop table tasks; --`],
    ['directions and joiners', '\u202e\u200d\ufeff'],
    ['the longest text', '\u{1F41D}'.repeat(5_000)],
  ])('%s in the input of a task is only data', async (_kind, text) => {
    const { id } = await system.submit('reverse', { text })
    expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS', input: { text } })
  })

  test.each([
    ['/v1/tasks/reverse', '{"input":{"text":"\xff\xc0\xaf"}}', 202],
    ['/notify', '{"email":"\xff@example.com"}', 422],
    ['/submit_task', '{"form_type":"reverse","text":"\xed\xa0\x80"}', 202],
  ])('bytes that are no UTF-8 do no harm to %s', async (path, latin, expected) => {
    const body = Buffer.from(latin, 'latin1')
    expect((await send('POST', path, { headers: JSON_TYPE, body })).status).toBe(expected)
  })

  test.each([
    ['/v1/tasks/reverse', 100_000],
    ['/notify', 100_000],
    ['/submit_task', 100_000],
    ['/v1/tasks/anything', 100_000],
    ['/v1/tasks/anything', 5_000],
  ])('%s refuses an input that is nested %d deep', async (path, depth) => {
    const body = `{"input":${'['.repeat(depth)}${']'.repeat(depth)}}`
    expectProblem(await send('POST', path, { headers: JSON_TYPE, body }), 422)
  })

  test('a task that arrives beside such an input is accepted all the same', async () => {
    const deep = `{"input":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}`
    const answers = await Promise.all([
      send('POST', '/v1/tasks/anything', { headers: JSON_TYPE, body: deep }),
      send('POST', '/v1/tasks/anything', { headers: JSON_TYPE, body: '{"input":[[[[1]]]]}' }),
    ])
    expect(answers.map(({ status }) => status)).toEqual([422, 202])
  })

  test('tens of thousands of members and elements do no harm', async () => {
    const members = Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`m${n}`, 0]))
    const body = JSON.stringify({ input: { text: 'abc', ...members } })
    expect((await send('POST', '/v1/tasks/reverse', { headers: JSON_TYPE, body })).status).toBe(202)
    const list = JSON.stringify({ input: { text: 'abc' }, options: { tags: new Array(50_000).fill('x') } })
    expectProblem(await send('POST', '/v1/tasks/reverse', { headers: JSON_TYPE, body: list }), 422)
  })
})

describe('a request that is no proper HTTP', () => {
  test.each([
    ['a backslash in the path', '/v1\\tasks', {}],
    ['a host that is none', '/v1/tasks', { Host: 'a b' }],
  ])('%s is 400', async (_kind, path, headers: Record<string, string>) => {
    expectProblem(await send('GET', path, { headers }), 400)
  })

  test.each(SUBMISSIONS)("a client that leaves while it sends to %s is nobody's fault", async (path) => {
    await leaveWhileSending(path, JSON_TYPE)
    await leaveWhileSending(path, { ...JSON_TYPE, 'Content-Length': '1000' })
  })
})

test('a bug of ours is 500 and is announced whole, but the answer tells nothing of it', async () => {
  const { database } = system.connections
  const { id } = await system.submit('divide', { x: 1, y: 0 })
  await system.taskWhenFinal(id)
  await database.query(sql`alter table attempts rename to misplaced`)
  const problem = expectProblem(await send('GET', `/v1/tasks/${id}`), 500)
  await database.query(sql`alter table misplaced rename to attempts`)
  expect(problem).toMatchObject({ title: 'Internal Server Error', detail: 'Internal error' })
  expect(system.announced('error.unexpected').slice(bugsBefore)).toMatchObject([
    { where: `GET /v1/tasks/${id}` },
  ])
  bugsBefore++
})

describe('the files of the page', () => {
  test('are served', async () => {
    expect(await send('GET', '/')).toMatchObject({ status: 200, text: '<h1>The page</h1>' })
  })

  test('are kept by browsers where their names change with them', async () => {
    const cacheOf = async (path: string) => (await send('GET', path)).headers['cache-control']
    expect(await cacheOf('/assets/index-1a2b3c.js')).toBe('public, max-age=31536000, immutable')
    expect(await cacheOf('/')).toBe('no-cache')
  })

  test.each([
    '/../../../../etc/passwd',
    '/..%2f..%2f..%2f..%2fetc%2fpasswd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/....//....//etc/passwd',
    '/%5c..%5c..%5cetc%5cpasswd',
    '//etc/passwd',
    '/index.html%00.png',
    '/%00',
    '/%c0%ae%c0%ae/etc/passwd',
    `/${'a'.repeat(300)}`,
    '/%',
    '/.',
  ])('nothing else is: %s', async (path) => {
    const response = await send('GET', path)
    if (path === '/.') expect(response.text).toContain('The page')
    else expectProblem(response, 404)
  })
})

interface Sent {
  headers?: Record<string, string>
  body?: string | Buffer
  isChunked?: boolean
}

interface Received {
  status: number
  headers: IncomingMessage['headers']
  text: string
}

/** Sends what `fetch` would correct or refuse: any verb, and the path as it is. */
function send(method: string, path: string, { headers = {}, body, isChunked }: Sent = {}): Promise<Received> {
  const bytes = Buffer.from(body ?? '')
  const length = isChunked || body === undefined ? {} : { 'Content-Length': String(bytes.length) }
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      { ...urlOf(system), method, path, headers: { ...headers, ...length }, agent: false },
      async (incoming) => {
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text: await textOf(incoming) })
      },
    )
    outgoing.on('error', reject)
    if (isChunked) outgoing.write(bytes)
    outgoing.end(isChunked ? undefined : bytes)
  })
}

async function leaveWhileSending(path: string, headers: Record<string, string>) {
  const outgoing = httpRequest({ ...urlOf(system), method: 'POST', path, headers, agent: false })
  const closed = new Promise((resolve) => outgoing.once('close', resolve))
  outgoing.on('error', () => {})
  outgoing.write('{"input":')
  // An answer to a second request: the server has read what the first one sent so far.
  await send('GET', '/health')
  outgoing.destroy()
  await closed
}

function urlOf({ url }: TestSystem) {
  const { hostname, port } = new URL(url)
  return { hostname, port }
}

const GIVEN_AWAY = new RegExp(
  `\\bat \\S+ \\(|node_modules|\\.[jt]s:\\d|\\bselect\\b.*\\bfrom\\b|insert into|update tasks|root:|${process.cwd()}/`,
  'is',
)

/** RFC 9457, and nothing of the inside. */
function expectProblem({ status, headers, text }: Received, expected: number): Problem {
  expect({ status, text }).toMatchObject({ status: expected })
  expect(headers['content-type']).toBe('application/problem+json')
  expect(text).not.toMatch(GIVEN_AWAY)
  const problem: Problem = JSON.parse(text)
  expect(problem).toMatchObject({
    type: expect.stringMatching(/^urn:waggle:problem:\w+$/),
    title: expect.stringMatching(/^[A-Z]/),
    status,
    detail: expect.stringMatching(/\S/),
    instance: expect.stringMatching(/^\//),
  })
  return problem
}
