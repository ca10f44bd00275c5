// Large request bodies: how many bytes of them an API process handles at the same time.
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { createTestKeys } from '../support/api-keys.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'

const MIB = 1024 * 1024
const keys = createTestKeys({ submitter: ['submit'] })

let system: TestSystem
beforeAll(async () => {
  // Four bodies of the largest size may be in progress.
  system = await startSystem({ worker: false, bodyLimitBytes: 64 * MIB, apiKeys: keys.apiKeys })
})
afterAll(() => system.stop())

const tasks = new Array(400).fill({ name: 'reverse', input: { text: 'a'.repeat(50) } })
const submitLarge = () => system.request('POST', '/v1/tasks/batch', { tasks }, keys.headers('submitter'))

test.each(['/v1/tasks/batch', '/v1/tasks/reverse', '/submit_task'])(
  'while bodies of %s use up the limit, a large body gets 503, and a small one is accepted',
  async (path) => {
    const unfinished: Socket[] = []
    const refused = await until(
      async () => {
        const response = await submitLarge()
        // Sent when nothing else is in progress: otherwise the fourth of them can be refused.
        if (response.status !== 503) unfinished.push(await sendUnfinished(path, keys.headers('submitter')))
        return response
      },
      ({ status }) => status === 503,
    )
    expect(refused.headers.get('Retry-After')).toBe('2')
    expect(refused.body).toMatchObject({
      type: 'urn:waggle:problem:overloaded',
      detail: 'Too many large bodies are being processed; try again',
    })
    const small = await system.request(
      'POST',
      '/v1/tasks/reverse',
      { input: { text: 'a' } },
      keys.headers('submitter'),
    )
    expect(small.status).toBe(202)
    for (const socket of unfinished) socket.destroy()
    await until(submitLarge, ({ status }) => status === 202)
  },
)

test('bodies of requests without a valid key do not count', async () => {
  for (let sent = 0; sent < 8; sent++) await sendUnfinished('/v1/tasks/batch', { 'X-API-Key': 'wrong' })
  expect((await submitLarge()).status).toBe(202)
})

/** Sends a request that announces the largest body and does not send it. */
function sendUnfinished(path: string, headers: Record<string, string>): Promise<Socket> {
  const { hostname, port, host } = new URL(system.url)
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n${lines.join('')}Content-Length: ${64 * MIB}\r\n\r\n{`
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => socket.write(head, () => resolve(socket)))
    socket.on('error', () => {})
    onTestFinished(() => void socket.destroy())
  })
}
