// scripts/smoke.ts against servers that do their work, and servers that do not quite.
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { afterEach, expect, test } from 'vitest'
import { foreignOriginsIn, smoke } from '../scripts/smoke.ts'

let server: Server | undefined
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

type Answer = [status: number, body: string]
const PAGE =
  '<script type="module" src="./assets/index-1.js"></script><link rel="stylesheet" href="./assets/index-1.css">'

/** A Waggle that works, but for what is given. */
async function start(
  differs: (request: IncomingMessage) => Answer | undefined = () => undefined,
): Promise<string> {
  const answers: Record<string, Answer> = {
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
    const isOpen = !request.url?.startsWith('/v1/') || request.headers['x-api-key'] === 'wgl_smoke'
    const usual = isOpen ? answers[`${request.method} ${request.url}`] : ([401, '{}'] satisfies Answer)
    const [status, body] = differs(request) ?? usual ?? [404, '']
    request.resume()
    response.writeHead(status).end(body)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server?.once('listening', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('It does not listen')
  return `http://127.0.0.1:${address.port}`
}

const on = (asked: string, answer: Answer) => (request: IncomingMessage) =>
  `${request.method} ${request.url}` === asked ? answer : undefined

test('a system that works passes, and all files of its page were seen', async () => {
  const said: string[] = []
  await smoke(await start(), 'wgl_smoke', (line) => said.push(line))
  expect(said).toEqual([
    'GET and HEAD /health: 200',
    'The page, 4 files: everything from its own origin',
    expect.stringMatching(/^A task: SUCCESS after \d+ ms$/),
  ])
})

test.each<[string, ReturnType<typeof on>, string]>([
  ['a page without a script', on('GET /', [200, '<h1>It works!</h1>']), 'names no script'],
  [
    'a script that is missing',
    on('GET /assets/index-1.js', [404, '']),
    '/assets/index-1.js is answered by 404',
  ],
  [
    'a script that speaks of localhost',
    on('GET /assets/view-1.js', [200, 'fetch("http://localhost:8000/v1/tasks")']),
    '/assets/view-1.js speaks of http://localhost:8000',
  ],
  [
    'an API that does not accept',
    on('POST /v1/tasks/reverse', [503, 'away']),
    'not accepted, but answered by 503: away',
  ],
  [
    'a task that fails',
    on('GET /v1/tasks/1?wait=10', [200, '{"status": "FAILURE", "error": {"message": "no"}}']),
    'Task 1 ended as FAILURE: {"message":"no"}',
  ],
])('%s does not pass', async (_, differs, message) => {
  await expect(smoke(await start(differs), 'wgl_smoke', () => {})).rejects.toThrow(message)
})

test('a wrong key does not pass', async () => {
  await expect(smoke(await start(), 'wgl_other', () => {})).rejects.toThrow('answered by 401')
})

test.each([
  ['ws://10.0.0.1:8000/x', ['ws://10.0.0.1:8000']],
  ["fetch('https://api.example.com/a')+'https://api.example.com/b'", ['https://api.example.com']],
  ['xmlns="http://www.w3.org/2000/svg"', []],
  ['http://www.w3.org.evil.example/', ['http://www.w3.org.evil.example']],
])('%j speaks of %j', (text, origins) => {
  expect(foreignOriginsIn(text)).toEqual(origins)
})
