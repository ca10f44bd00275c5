// The recipes of docs/recipes/python.md and python-callbacks.md.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { runProgram } from '../generators/support/programs.ts'
import { createTestKeys } from '../support/api-keys.ts'
import { CHILD_ENVIRONMENT } from '../support/child-environment.ts'
import { startTestServer } from '../support/http-server.ts'
import { hasPython } from '../support/python.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

const FOLDER = fileURLToPath(new URL('../../docs/recipes', import.meta.url))
const SECRETS = [1, 2].map((byte) => `whsec_${Buffer.alloc(32, byte).toString('base64')}`) as [string, string]
// Requests to this machine use no proxy. The folder stays as it is.
const ENVIRONMENT = { NO_PROXY: '*', PYTHONDONTWRITEBYTECODE: '1' }
const keys = createTestKeys({ python: ['submit', 'read'] })

describe.skipIf(!hasPython())('Python', () => {
  let system: TestSystem
  beforeAll(async () => {
    const http = { allow: ['127.0.0.0/8'] }
    system = await startSystem({ apiKeys: keys.apiKeys, http, webhookSecrets: SECRETS })
  })
  afterAll(() => system.stop())

  const python = (args: string[], settings: Record<string, string> = {}) =>
    runProgram('python3', args, { cwd: FOLDER, env: { ...ENVIRONMENT, ...settings } })
  const submit = (name: string, input: object, idempotencyKey: string) =>
    python(['waggle.py', system.url, name, JSON.stringify(input), idempotencyKey], {
      WAGGLE_API_KEY: keys.key('python'),
    })
  /** Runs code with a client of an API, and returns what it prints. */
  async function withClient(url: string, code: string): Promise<unknown> {
    const setUp = `import json; from waggle import *; client = Waggle(${JSON.stringify(url)}, "${keys.key('python')}")`
    const { stdout, stderr } = await python(['-c', `${setUp}\n${code}`])
    expect(stderr).toBe('')
    return JSON.parse(stdout)
  }

  test('submits a task, waits for its end, and prints its result', async () => {
    expect(await submit('reverse', { text: 'ä €' }, 'first')).toMatchObject({
      code: 0,
      stdout: '{"text": "\\u20ac \\u00e4"}\n',
    })
  })

  test('submits a task once, however often it runs with the same key', async () => {
    const outcomes = [
      await submit('reverse', { text: 'once' }, 'same'),
      await submit('reverse', { text: 'once' }, 'same'),
    ]
    expect(outcomes.map(({ code }) => code)).toEqual([0, 0])
    const { body } = await system.request(
      'GET',
      '/v1/tasks?input.text=once&tag=python',
      undefined,
      keys.headers('python'),
    )
    expect((body as { data: unknown[] }).data).toHaveLength(1)
  })

  test('fails if the task fails, and if the input is not valid', async () => {
    const failed = await submit('divide', { x: 1, y: 0 }, 'divide')
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringMatching(/^FAILURE: .*PermanentError/) })
    const invalid = await submit('reverse', { text: 1 }, 'invalid')
    expect(invalid).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Problem: Task "reverse": the input'),
    })
  })

  test('a problem has status, type and faults with pointers', async () => {
    const code = `
try:
    client.submit("reverse", {"text": 1}, "faulty")
except Problem as problem:
    print(json.dumps([str(problem), problem.status, problem.type, problem.errors]))`
    expect(await withClient(system.url, code)).toEqual([
      'Task "reverse": the input is not valid',
      422,
      'urn:waggle:problem:invalid_input',
      [{ pointer: '#/input/text', detail: expect.any(String) }],
    ])
  })

  test('a submission is repeated with its key while the API cannot be reached, restarts or limits the rate', async () => {
    const api = await startTestServer((_, response, nth) => {
      if (nth === 1) response.socket?.destroy()
      else if (nth === 2) response.writeHead(502, { 'Content-Type': 'text/html' }).end('<h1>Bad Gateway</h1>')
      else if (nth === 3) response.writeHead(429, { 'Retry-After': '3' }).end()
      else response.writeHead(202).end('{"id": "a"}')
    })
    onTestFinished(() => api.stop())
    const code = 'print(json.dumps(client.submit("reverse", {"text": "a"}, "order-1", priority="high")))'
    expect(await withClient(api.url, code)).toEqual({ id: 'a' })
    expect(api.received).toHaveLength(4)
    for (const { method, path, headers, body } of api.received) {
      expect({ method, path }).toEqual({ method: 'POST', path: '/v1/tasks/reverse' })
      expect(headers).toMatchObject({
        'idempotency-key': 'order-1',
        authorization: `Bearer ${keys.key('python')}`,
      })
      expect(JSON.parse(body)).toEqual({ input: { text: 'a' }, options: { priority: 'high' } })
    }
  })

  test('an error without a problem document has its status', async () => {
    const api = await startTestServer((_, response) => response.writeHead(418).end('<h1>no</h1>'))
    onTestFinished(() => api.stop())
    const code = `
try:
    client.wait("a")
except Problem as problem:
    print(json.dumps([str(problem), problem.status, problem.type, problem.errors]))`
    expect(await withClient(api.url, code)).toEqual(['HTTP status 418', 418, null, []])
  })

  test('a wait reads the task until it has ended, or the time is up', async () => {
    const api = await startTestServer(({ path }, response, nth) =>
      response.end(JSON.stringify({ is_final: path.includes('/a?') && nth === 3, status: 'SUCCESS' })),
    )
    onTestFinished(() => api.stop())
    const code = `
done = client.wait("a")
try:
    client.wait("b", seconds=0.1)
except TimeoutError as error:
    print(json.dumps([done, str(error)]))`
    expect(await withClient(api.url, code)).toEqual([
      { is_final: true, status: 'SUCCESS' },
      'Task b has not ended within 0.1 s',
    ])
    expect(api.receivedAt('/v1/tasks/a?wait=20')).toHaveLength(3)
  })

  describe('the receiver of callbacks', () => {
    test.each(['1', '2'])('accepts the callback of a task, with secret %s of two', async (nth) => {
      const receiver = await startReceiver(SECRETS[Number(nth) - 1] as string)
      const { status, body } = await system.request(
        'POST',
        '/v1/tasks/reverse',
        { input: { text: 'ä €' }, options: { callback_url: receiver.url } },
        keys.headers('python'),
      )
      expect(status).toBe(202)
      const { id } = body as { id: string }
      expect(await receiver.nextLine()).toBe(`task.success ${id} {"text": "\\u20ac \\u00e4"}`)
    })

    test('accepts the signature of each of its secrets, and refuses everything else', async () => {
      const receiver = await startReceiver(SECRETS.join())
      const body = JSON.stringify({ type: 'task.success', data: { id: 'a', result: 1 } })
      const signed = (secret = SECRETS[0], ageSeconds = 0) => {
        const at = new Date(Date.now() - ageSeconds * 1_000)
        return {
          'webhook-id': 'm-1',
          'webhook-timestamp': `${Math.floor(at.getTime() / 1_000)}`,
          'webhook-signature': new Webhook(secret).sign('m-1', at, body),
        }
      }
      const send = async (headers: Record<string, string>, sent = body) =>
        (await fetch(receiver.url, { method: 'POST', headers, body: sent })).status
      expect(
        await Promise.all([send(signed()), send(signed(SECRETS[1])), send(signed(SECRETS[0], 200))]),
      ).toEqual([204, 204, 204])
      const refused: [what: string, status: Promise<number>][] = [
        ['another body', send(signed(), `${body} `)],
        ['another id', send({ ...signed(), 'webhook-id': 'm-2' })],
        ['another secret', send(signed(`whsec_${Buffer.alloc(32, 3).toString('base64')}`))],
        ['an old callback', send(signed(SECRETS[0], 400))],
        ['a future callback', send(signed(SECRETS[0], -400))],
        ['another time', send({ ...signed(), 'webhook-timestamp': `${Math.floor(Date.now() / 1_000) + 9}` })],
        ['a time that is no number', send({ ...signed(), 'webhook-timestamp': 'now' })],
        ['a huge time', send({ ...signed(), 'webhook-timestamp': '9'.repeat(1_000) })],
        ['a signature that is not ASCII', send({ ...signed(), 'webhook-signature': 'v1,ä' })],
        ['no signature', send({})],
      ]
      for (const [what, status] of refused)
        expect({ what, status: await status }).toEqual({ what, status: 401 })
    })
  })
})

/** Starts the receiver on a free port. */
async function startReceiver(secrets: string) {
  const child = spawn('python3', ['receive_callback.py', '0'], {
    cwd: FOLDER,
    env: { ...CHILD_ENVIRONMENT, ...ENVIRONMENT, WEBHOOK_SECRET: secrets },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await once(child, 'close')
  })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const nextLine = async () => (await lines.next()).value as string
  const port = /\d+$/.exec(await nextLine())?.[0]
  return { url: `http://127.0.0.1:${port}/`, nextLine }
}
