// Requests that never end, and clients that do not read or send anything: their connections are closed.
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { startServer } from '../../src/api/server.ts'
import { exchange, requestOf } from '../support/raw-http.ts'
import { startSystem, type TestSystem } from '../support/system.ts'
import { anything, createHarmlessCheck } from './support/hostile-requests.ts'

const expectHarmless = createHarmlessCheck()
const SHORT_LIMITS = { headersTimeoutMs: 400, requestTimeoutMs: 800, checkMs: 100, idleTimeoutMs: 20_000 }

describe('requests that do not end', () => {
  let system: TestSystem
  beforeAll(async () => {
    system = await startSystem({
      definitions: [anything],
      serverLimits: SHORT_LIMITS,
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
  test.each(UNFINISHED)('%s gets 408', async (_name, bytes) => {
    expectHarmless(await exchange(system.url, bytes), [408])
  })

  test('a connection on which nothing is sent is closed', async () => {
    expect([0, 408]).toContain((await exchange(system.url, () => {})).status)
  })

  test.each(['/v1/tasks/anything', '/v1/tasks/batch', '/notify', '/submit_task', '/v1/nothing'])(
    'a body of %s that is sent byte by byte gets 408',
    async (path) => {
      const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\n${json}Transfer-Encoding: chunked\r\n\r\n`
      const response = await exchange(system.url, (socket) => writeRepeatedly(socket, head, '1\r\n \r\n', 20))
      expectHarmless(response, path === '/v1/nothing' ? [404, 408] : [408])
    },
  )

  test('headers that are sent one by one get 408', async () => {
    const response = await exchange(system.url, (socket) =>
      writeRepeatedly(socket, 'GET / HTTP/1.1\r\n', 'a: b\r\n', 20),
    )
    expectHarmless(response, [408])
  })

  test('an endless body is rejected as soon as it is too large', async () => {
    const head = `POST /v1/tasks/anything HTTP/1.1\r\nHost: localhost\r\n${json}Transfer-Encoding: chunked\r\n\r\n`
    const chunk = `1000\r\n${' '.repeat(4_096)}\r\n`
    const response = await exchange(system.url, (socket) =>
      writeRepeatedly(socket, head, chunk.repeat(10), 1),
    )
    expectHarmless(response, [413])
  })

  test('endless headers are rejected as soon as they are too large', async () => {
    const line = `X-Flood: ${'x'.repeat(1_000)}\r\n`
    const response = await exchange(system.url, (socket) =>
      writeRepeatedly(socket, 'GET / HTTP/1.1\r\n', line.repeat(4), 1),
    )
    expectHarmless(response, [431])
  })

  test('a client that does not read the response is disconnected', async () => {
    const limits = { ...SHORT_LIMITS, idleTimeoutMs: 300 }
    const disconnected = new Promise<void>((resolve, reject) => {
      const respond = async ({ signal }: Request) => {
        signal.addEventListener('abort', () => resolve())
        // Larger than the socket buffers of both ends.
        return new Response('x'.repeat(32 * 1024 * 1024))
      }
      startServer(respond, { host: '127.0.0.1', port: 0, limits }).then((server) => {
        const socket = connect({ host: '127.0.0.1', port: server.port })
        socket.on('error', () => {})
        socket.write(requestOf('GET', '/'))
        onTestFinished(async () => {
          socket.destroy()
          await server.stop(0)
        })
      }, reject)
    })
    await disconnected
  })

  test('a client that sends nothing after a response is disconnected', async () => {
    const limits = { ...SHORT_LIMITS, idleTimeoutMs: 300 }
    const server = await startServer(() => new Response('ok'), { host: '127.0.0.1', port: 0, limits })
    onTestFinished(() => server.stop(0))
    const socket = connect({ host: '127.0.0.1', port: server.port })
    socket.write(requestOf('GET', '/', [['Connection', 'keep-alive']]))
    const received = await text(socket)
    expect(received).toMatch(/^HTTP\/1\.1 200 /)
    expect(received).not.toMatch(/^connection: close/im)
  })

  test('a long poll and an event stream are not disconnected', async () => {
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

  test('malformed bytes after a valid request do not change its response', async () => {
    const { id } = await system.submit('anything', {}, { delay_seconds: 2 })
    const first = requestOf('GET', `/v1/tasks/${id}?wait=20`, [['Connection', 'keep-alive']])
    const response = await exchange(system.url, `${first}no request\r\n\r\n`)
    // The parser finds the fault before the response is sent. A client would take a 400 for the response.
    expect(response.status).toBe(200)
    expect(JSON.parse(response.text)).toMatchObject({ id, status: 'SUCCESS' })
  })

  test('no internal error was reported, and the system still runs tasks', async () => {
    expect(system.emitted('error.unexpected')).toEqual([])
    const { id } = await system.submit('reverse', { text: 'abc' })
    expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS' })
  })
})

function writeRepeatedly(socket: Socket, head: string, piece: string, everyMs: number) {
  socket.write(head)
  const timer = setInterval(() => socket.write(piece), everyMs)
  socket.once('close', () => clearInterval(timer))
}
