// scripts/smoke.ts against a fake server that works, and against servers with one fault each.
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { afterEach, expect, test } from 'vitest'
import { absoluteOriginsIn, checkRedirect, smoke } from '../scripts/smoke.ts'

let server: Server | undefined
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

type FakeResponse = [status: number, body: string, headers?: Record<string, string>]
const PAGE =
  '<script type="module" src="./assets/index-1.js"></script><link rel="stylesheet" href="./assets/index-1.css">'

/** Starts a fake of a working Waggle. `override` replaces single responses. @returns its URL */
async function start(
  override: (request: IncomingMessage) => FakeResponse | undefined = () => undefined,
  port = 0,
): Promise<string> {
  const responses: Record<string, FakeResponse> = {
    'GET /health': [200, '{}'],
    'HEAD /health': [200, ''],
    'GET /': [200, PAGE],
    'GET /assets/index-1.js': [200, 'import("./view-1.js");fetch("/v1/tasks");"http://www.w3.org/2000/svg"'],
    'GET /assets/view-1.js': [200, 'const view = 1'],
    'GET /assets/index-1.css': [200, 'body { color: black }'],
    'POST /v1/tasks/reverse': [202, '{"id": "1"}'],
    'GET /v1/tasks/1?wait=10': [200, '{"status": "SUCCESS"}'],
  }
  server = createServer((request, response) => {
    const isAllowed = !request.url?.startsWith('/v1/') || request.headers['x-api-key'] === 'wgl_smoke'
    const usual = isAllowed
      ? responses[`${request.method} ${request.url}`]
      : ([401, '{}'] satisfies FakeResponse)
    const [status, body, headers = {}] = override(request) ?? usual ?? [404, '']
    request.resume()
    response.writeHead(status, headers).end(body)
  }).listen(port, '127.0.0.1')
  await new Promise((resolve) => server?.once('listening', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server does not listen')
  return `http://127.0.0.1:${address.port}`
}

const OPTIONS = { apiKey: 'wgl_smoke', task: { name: 'reverse', input: { text: 'smoke' } } }

const on = (line: string, response: FakeResponse) => (request: IncomingMessage) =>
  `${request.method} ${request.url}` === line ? response : undefined

test('a working system passes, and all files of its page are checked', async () => {
  const lines: string[] = []
  await smoke(await start(), OPTIONS, (line) => lines.push(line))
  expect(lines).toEqual([
    'GET and HEAD /health: 200',
    'Page: 4 files without absolute URLs',
    expect.stringMatching(/^Task reverse: SUCCESS after \d+ ms$/),
  ])
})

test('the task of the project is submitted, with its input', async () => {
  const bodies: string[] = []
  const url = await start((request) => {
    if (request.url !== '/v1/tasks/hello') return undefined
    request.setEncoding('utf8').on('data', (text) => bodies.push(text))
    return [202, '{"id": "1"}']
  })
  await smoke(url, { apiKey: 'wgl_smoke', task: { name: 'hello', input: { name: 'Ada' } } }, () => {})
  expect(bodies).toEqual(['{"input":{"name":"Ada"}}'])
})

test('without a task of the project none is submitted, and the last line says so', async () => {
  const lines: string[] = []
  const url = await start(on('POST /v1/tasks/reverse', [500, '']))
  await smoke(url, { apiKey: 'wgl_smoke', task: undefined }, (line) => lines.push(line))
  expect(lines.at(-1)).toBe('No task was run: smokeTask is not set in main.ts')
})

test('a host that does not accept connections yet is tried again', async () => {
  const url = await start()
  server?.closeAllConnections()
  await new Promise((resolve) => server?.close(resolve))
  const passing = smoke(url, OPTIONS, () => {})
  await start(undefined, Number(new URL(url).port))
  await expect(passing).resolves.toBeUndefined()
})

test.each<[string, ReturnType<typeof on>, string]>([
  ['a page without a script', on('GET /', [200, '<h1>It works!</h1>']), 'references no script'],
  [
    'a script that is missing',
    on('GET /assets/index-1.js', [404, '']),
    'GET /assets/index-1.js: expected 200, got 404',
  ],
  [
    'a script that contains a localhost URL',
    on('GET /assets/view-1.js', [200, 'fetch("http://localhost:8000/v1/tasks")']),
    '/assets/view-1.js contains absolute URLs: http://localhost:8000; the page must use relative URLs',
  ],
  [
    'an API that rejects submissions',
    on('POST /v1/tasks/reverse', [503, 'away']),
    'Submission: expected 202, got 503: away',
  ],
  [
    'a task that fails',
    on('GET /v1/tasks/1?wait=10', [200, '{"status": "FAILURE", "error": {"message": "no"}}']),
    'Task 1 ended as FAILURE: {"message":"no"}',
  ],
])('%s does not pass', async (_, override, message) => {
  await expect(smoke(await start(override), OPTIONS, () => {})).rejects.toThrow(message)
})

test('a wrong key does not pass', async () => {
  const options = { ...OPTIONS, apiKey: 'wgl_other' }
  await expect(smoke(await start(), options, () => {})).rejects.toThrow('expected 202, got 401')
})

test.each<[string, FakeResponse, string | undefined]>([
  ['308 to HTTPS', [308, '', { Location: 'https://tasks.example.com/' }], undefined],
  ['301 to HTTPS with its port', [301, '', { Location: 'https://tasks.example.com:443/' }], undefined],
  ['301 to another host', [301, '', { Location: 'https://example.com/' }], 'got 301 https://example.com/'],
  ['301 without a location', [301, ''], 'got 301'],
  ['the page', [200, PAGE], 'got 200'],
])('HTTP with the response %s is checked', async (_, response, message) => {
  const check = checkRedirect(await start(on('GET /', response)), 'https://tasks.example.com')
  if (message) await expect(check).rejects.toThrow(message)
  else await expect(check).resolves.toBeUndefined()
})

test.each([
  ['ws://10.0.0.1:8000/x', ['ws://10.0.0.1:8000']],
  ["fetch('https://api.example.com/a')+'https://api.example.com/b'", ['https://api.example.com']],
  ['xmlns="http://www.w3.org/2000/svg"', []],
  ['http://www.w3.org.evil.example/', ['http://www.w3.org.evil.example']],
])('%j contains the origins %j', (text, origins) => {
  expect(absoluteOriginsIn(text)).toEqual(origins)
})
