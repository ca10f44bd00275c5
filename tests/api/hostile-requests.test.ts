// Requests that nobody means well, as bytes: each is answered with a problem that gives nothing away, or with what it
// deserves; none gets in without a key; and the system goes on.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { createApiKey } from '../../src/api/http/api-keys.ts'
import { startServer } from '../../src/api/server.ts'
import { readConfig } from '../../src/config.ts'
import { defineTask } from '../../src/definitions/define.ts'
import { ATTACKS, BODY_LIMIT } from '../support/attacks.ts'
import { converse, exchange, type RawAnswer, type RawHeaders, requestOf } from '../support/raw-http.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

const anything = defineTask({
  name: 'anything',
  title: 'Anything',
  description: 'Its definition refuses nothing, so that whatever is refused is refused by the system.',
  input: z.unknown(),
  output: z.unknown(),
  example: {},
  run: async () => null,
})

const webRoot = mkdtempSync(join(tmpdir(), 'waggle-web-'))
writeFileSync(join(webRoot, 'index.html'), '<h1>The page</h1>')
afterAll(() => rmSync(webRoot, { recursive: true }))

test('the attacks are many, and each has a name of its own', () => {
  expect(ATTACKS.length).toBeGreaterThan(600)
  expect(new Set(ATTACKS.map(({ name }) => name)).size).toBe(ATTACKS.length)
})

describe('a system that is open to everybody', () => {
  let system: TestSystem
  let finished = ''
  let waiting = ''
  beforeAll(async () => {
    system = await startSystem({ definitions: [anything], webRoot })
    ;[finished, waiting] = await preparedTasks(system)
  })
  afterAll(() => system.stop())

  test.each(ATTACKS)('$name', async ({ request, expected }) => {
    const answer = await exchange(system.url, filled(request, finished, waiting))
    expectHarmless(answer, expected)
  })

  test('goes on after all of them', async () => {
    const { id } = await system.submit('reverse', { text: 'still well' })
    expect(await system.taskWhenFinal(id)).toMatchObject({
      status: 'SUCCESS',
      result: { text: 'llew llits' },
    })
  })

  test('has met no bug of its own', () => {
    expect(system.announced('error.unexpected')).toEqual([])
  })

  test('has not let anybody change what all objects have in common', () => {
    expect(Object.keys(Object.prototype)).toEqual([])
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })

  test('has kept nothing of them in memory', () => {
    // Hundreds of bodies of up to 256 KiB and their answers, were they kept, would be beyond this.
    expect(process.memoryUsage().heapUsed).toBeLessThan(400 * 1024 * 1024)
  })

  test('has not opened a connection to Redis for every queue that somebody made up', async () => {
    const redis = createClient({ url: system.redis.url })
    await redis.connect()
    const list = String(await redis.sendCommand(['CLIENT', 'LIST']))
    // A hundred producers, and what worker and signals have.
    expect(list.split('\n').length).toBeLessThan(150)
    await redis.close()
  })
})

describe('a system that asks for keys', () => {
  let system: TestSystem
  const { key, entry } = createApiKey('tests', ['submit', 'read', 'operate'])
  let finished = ''
  let waiting = ''
  beforeAll(async () => {
    const apiKeys = readConfig({ API_KEYS: entry }).API_KEYS
    system = await startSystem({ definitions: [anything], webRoot, apiKeys })
    ;[finished, waiting] = await preparedTasks(system, { Authorization: `Bearer ${key}` })
  })
  afterAll(() => system.stop())

  test.each(ATTACKS)('$name', async ({ request, expected, isPublic }) => {
    const answer = await exchange(system.url, filled(request, finished, waiting))
    expectHarmless(answer, isPublic ? expected : [0, 400, 401, 403, 404, 405, 413, 431])
  })

  test('has let nobody in', async () => {
    expect(system.announced('error.unexpected')).toEqual([])
    const { body } = await system.request('GET', '/v1/tasks', undefined, { 'X-API-Key': key })
    const ids = (body as { data: { id: string }[] }).data.map(({ id }) => id)
    expect(ids).toEqual([waiting, finished])
    const queues = await system.request('GET', '/v1/queues', undefined, { 'X-API-Key': key })
    expect((queues.body as { data: { is_paused: boolean }[] }).data.some(({ is_paused }) => is_paused)).toBe(
      false,
    )
  })

  const DOORS: [method: string, path: string, body?: string][] = [
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
  test.each(DOORS)('%s %s is shut, however well it is asked', async (method, path, body) => {
    const headers: RawHeaders = body === undefined ? [] : [['Content-Type', 'application/json']]
    const request = filled(requestOf(method, path, headers, body), finished, waiting)
    expectHarmless(await exchange(system.url, request), [401])
  })

  const CREDENTIALS: [name: string, headers: RawHeaders][] = [
    ['an empty Authorization', [['Authorization', '']]],
    ['no key behind Bearer', [['Authorization', 'Bearer']]],
    ['the key without a scheme', [['Authorization', key]]],
    ['the key as a password', [['Authorization', `Basic ${btoa(`:${key}`)}`]]],
    ['the entry instead of the key', [['Authorization', `Bearer ${entry}`]]],
    ['half of the key', [['Authorization', `Bearer ${key.slice(0, 20)}`]]],
    ['the key and more', [['Authorization', `Bearer ${key}x`]]],
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
    ['a key of eight thousand letters', [['X-API-Key', 'k'.repeat(8_000)]]],
    ['a key of other bytes', [['X-API-Key', '\xff\xfe']]],
    ['the key in a cookie', [['Cookie', `Authorization=Bearer ${key}`]]],
    [
      'another user than asked',
      [
        ['X-Forwarded-User', 'admin'],
        ['X-Original-URL', '/health'],
      ],
    ],
  ]
  test.each(CREDENTIALS)('%s does not open it', async (_name, headers) => {
    const answer = await exchange(system.url, requestOf('GET', '/v1/tasks', headers))
    expectHarmless(answer, [401])
  })

  test('a key opens it also beside the credentials of something else', async () => {
    const headers = { Authorization: 'Bearer eyJhbGciOiJub25lIn0', 'X-API-Key': key }
    expect((await system.request('GET', '/v1/tasks', undefined, headers)).status).toBe(200)
  })

  test('a key behind thousands of other headers is seen', async () => {
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
  test.each(TOKENS)('no token is the token of a task: ?%s', async (search) => {
    const answer = await exchange(system.url, requestOf('GET', `/v1/tasks/${finished}?${search}`))
    expectHarmless(answer, [401])
  })

  test('a token of one task opens no other, and nothing but reading', async () => {
    const submitted = await system.request(
      'POST',
      '/v1/tasks/anything',
      { input: 1, options: { queue: 'nobody' } },
      { 'X-API-Key': key },
    )
    const { id, poll_token: token } = submitted.body as { id: string; poll_token: string }
    const own = await exchange(system.url, requestOf('GET', `/v1/tasks/${id}?poll_token=${token}`))
    expect(own.status).toBe(200)
    const elsewhere: [string, string][] = [
      ['GET', `/v1/tasks/${finished}?poll_token=${token}`],
      ['GET', `/v1/tasks/${finished}?poll_token=x&poll_token=${token}`],
      ['GET', `/task_status/${finished}?poll_token=${token}`],
      ['GET', `/v1/tasks/${finished}/events?poll_token=${token}`],
      ['GET', `/v1/tasks?poll_token=${token}`],
      ['POST', `/v1/tasks/${id}/cancel?poll_token=${token}`],
      ['POST', `/v1/tasks/${id}/replay?poll_token=${token}`],
      ['POST', `/v1/tasks/reverse?poll_token=${token}`],
    ]
    for (const [method, path] of elsewhere)
      expectHarmless(await exchange(system.url, requestOf(method, path)), [401])
  })
})

const IMPATIENT = { headersTimeoutMs: 400, requestTimeoutMs: 800, checkMs: 100, idleTimeoutMs: 20_000 }

describe('requests that come to no end', () => {
  let system: TestSystem
  beforeAll(async () => {
    system = await startSystem({
      definitions: [anything],
      serverLimits: IMPATIENT,
    })
  })
  afterAll(() => system.stop())

  const json = 'Content-Type: application/json\r\n'
  const UNFINISHED: [name: string, bytes: string][] = [
    ['half of a request line', 'GET /v1/ta'],
    ['headers without their end', 'GET /v1/tasks HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\n'],
    ['half of a header', 'POST /notify HTTP/1.1\r\nHost: localhost\r\nContent-Le'],
    ...['/v1/tasks/reverse', '/v1/tasks/batch', '/notify', '/submit_task'].flatMap(
      (path): [string, string][] => [
        [
          `a body of ${path} that is shorter than declared`,
          `POST ${path} HTTP/1.1\r\nHost: localhost\r\n${json}Content-Length: 1000\r\n\r\n{"input":`,
        ],
        [
          `chunks of ${path} without the last`,
          `POST ${path} HTTP/1.1\r\nHost: localhost\r\n${json}Transfer-Encoding: chunked\r\n\r\n5\r\n{"inp\r\n`,
        ],
        [
          `a chunk of ${path} that is shorter than declared`,
          `POST ${path} HTTP/1.1\r\nHost: localhost\r\n${json}Transfer-Encoding: chunked\r\n\r\nfff\r\n{"inp`,
        ],
      ],
    ),
    [
      'a form that stops in a file',
      `POST /notify HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 900\r\n\r\n--b\r\nContent-Disposition: form-data; name="email"; filename="a"\r\n\r\nabc`,
    ],
  ]
  test.each(UNFINISHED)('%s is ended with 408', async (_name, bytes) => {
    expectHarmless(await exchange(system.url, bytes), [408])
  })

  test('a connection on which nothing is said is ended', async () => {
    expect([0, 408]).toContain((await converse(system.url, () => {})).status)
  })

  test.each(['/v1/tasks/anything', '/v1/tasks/batch', '/notify', '/submit_task', '/v1/nothing'])(
    'a body of %s that comes letter by letter is ended with 408, however often it comes',
    async (path) => {
      const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\n${json}Transfer-Encoding: chunked\r\n\r\n`
      const answer = await converse(system.url, (socket) => drip(socket, head, '1\r\n \r\n', 20))
      expectHarmless(answer, path === '/v1/nothing' ? [404, 408] : [408])
    },
  )

  test('headers that come letter by letter are ended with 408', async () => {
    const answer = await converse(system.url, (socket) => drip(socket, 'GET / HTTP/1.1\r\n', 'a: b\r\n', 20))
    expectHarmless(answer, [408])
  })

  test('a body without end is refused as soon as it is too large', async () => {
    const head = `POST /v1/tasks/anything HTTP/1.1\r\nHost: localhost\r\n${json}Transfer-Encoding: chunked\r\n\r\n`
    const chunk = `1000\r\n${' '.repeat(4_096)}\r\n`
    const answer = await converse(system.url, (socket) => drip(socket, head, chunk.repeat(10), 1))
    expectHarmless(answer, [413])
  })

  test('headers without end are refused as soon as they are too large', async () => {
    const line = `X-Flood: ${'x'.repeat(1_000)}\r\n`
    const answer = await converse(system.url, (socket) =>
      drip(socket, 'GET / HTTP/1.1\r\n', line.repeat(4), 1),
    )
    expectHarmless(answer, [431])
  })

  test('who does not read the answer is cut off', async () => {
    const limits = { ...IMPATIENT, idleTimeoutMs: 300 }
    const cutOff = new Promise<void>((resolve, reject) => {
      const answer = async ({ signal }: Request) => {
        signal.addEventListener('abort', () => resolve())
        // More than the buffers of both ends hold.
        return new Response('x'.repeat(32 * 1024 * 1024))
      }
      startServer(answer, { host: '127.0.0.1', port: 0, limits }).then((server) => {
        const socket = connect({ host: '127.0.0.1', port: server.port })
        socket.on('error', () => {})
        socket.write(requestOf('GET', '/'))
        onTestFinished(async () => {
          socket.destroy()
          await server.stop(0)
        })
      }, reject)
    })
    await cutOff
  })

  test('who has had an answer and asks nothing more is let go of', async () => {
    const limits = { ...IMPATIENT, idleTimeoutMs: 300 }
    const server = await startServer(() => new Response('well'), { host: '127.0.0.1', port: 0, limits })
    onTestFinished(() => server.stop(0))
    const socket = connect({ host: '127.0.0.1', port: server.port })
    socket.write(requestOf('GET', '/', [['Connection', 'keep-alive']]))
    const said = await text(socket)
    expect(said).toMatch(/^HTTP\/1\.1 200 /)
    expect(said).not.toMatch(/^connection: close/im)
  })

  test('who waits for a task, or follows it, is not cut off', async () => {
    const { id } = await system.submit('anything', {}, { delay_seconds: 3 })
    const [waited, followed] = await Promise.all([
      exchange(system.url, requestOf('GET', `/v1/tasks/${id}?wait=20`)),
      exchange(system.url, requestOf('GET', `/v1/tasks/${id}/events`)),
    ])
    expect(waited.status).toBe(200)
    expect(JSON.parse(waited.text)).toMatchObject({ status: 'SUCCESS' })
    expect(followed.status).toBe(200)
    expect(followed.text).toContain('"SUCCESS"')
  })

  test('what follows a good request does not spoil its answer', async () => {
    const { id } = await system.submit('anything', {}, { delay_seconds: 2 })
    const first = requestOf('GET', `/v1/tasks/${id}?wait=20`, [['Connection', 'keep-alive']])
    const answer = await exchange(system.url, `${first}no request\r\n\r\n`)
    // The fault is found before the answer is there, and a 400 would be taken for it.
    expect(answer.status).toBe(200)
    expect(JSON.parse(answer.text)).toMatchObject({ id, status: 'SUCCESS' })
  })

  test('nothing of it was a bug of ours, and the system goes on', async () => {
    expect(system.announced('error.unexpected')).toEqual([])
    const { id } = await system.submit('reverse', { text: 'abc' })
    expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS' })
  })
})

function filled(request: string, finished: string, waiting: string): string {
  return request
    .replaceAll('{finished}', finished)
    .replaceAll('{FINISHED}', finished.toUpperCase())
    .replaceAll('{waiting}', waiting)
}

/** A task that has ended, and one that waits for ever. */
async function preparedTasks(
  system: TestSystem,
  headers: Record<string, string> = {},
): Promise<[string, string]> {
  const post = async (body: unknown) =>
    ((await system.request('POST', '/v1/tasks/anything', body, headers)).body as { id: string }).id
  const finished = await post({ input: 'finished' })
  const { status } = await system.request('GET', `/v1/tasks/${finished}?wait=20`, undefined, headers)
  expect(status).toBe(200)
  return [finished, await post({ input: 'waiting', options: { queue: 'nobody' } })]
}

function drip(
  socket: Parameters<Parameters<typeof converse>[1]>[0],
  head: string,
  piece: string,
  everyMs: number,
) {
  socket.write(head)
  const timer = setInterval(() => socket.write(piece), everyMs)
  socket.once('close', () => clearInterval(timer))
}

const STACK_OR_PATH = new RegExp(`\\bat \\S+ \\(|node_modules|\\.[jt]s:\\d|${process.cwd()}|${webRoot}`)
const SQL = /\bselect\b.*\bfrom\b|insert into|update tasks|syntax error at|relation "/is

/** As expected, and where it is an error: RFC 9457, and nothing of the inside. */
function expectHarmless({ status, headers, text }: RawAnswer, expected: number[]) {
  expect(expected, `answered ${status}: ${text.slice(0, 500)}`).toContain(status)
  expect(text).not.toMatch(STACK_OR_PATH)
  if (status < 400) return
  expect(headers['content-type']).toBe('application/problem+json')
  expect(text).not.toMatch(SQL)
  // A person reads it; and it is not to be many times as long as what it answers.
  expect(text.length).toBeLessThan(2 * BODY_LIMIT)
  expect(JSON.parse(text)).toMatchObject({
    type: expect.stringMatching(/^urn:waggle:problem:\w+$/),
    title: expect.stringMatching(/^[A-Z]/),
    status,
    detail: expect.stringMatching(/\S/),
  })
}
