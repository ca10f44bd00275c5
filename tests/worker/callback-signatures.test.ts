// WEBHOOK_SECRET signs callbacks only. Clients choose the bodies of other requests, so these are never
// signed.
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { sql } from '../../src/store/drizzle.ts'
import { type ReceivedRequest, startTestServer, type TestServer } from '../support/http-server.ts'
import { type FullTask, startSystem, type TestSystem } from '../support/system.ts'

const SECRETS = [secretOf(1), secretOf(2)]
const FORGED = { type: 'task.success', timestamp: '2030-01-31T12:00:00.000Z', data: { id: 'forged' } }

let system: TestSystem
let server: TestServer
beforeAll(async () => {
  server = await startTestServer(({ path }, response, nth) => {
    const status = path === '/gone' && nth === 1 ? 410 : 200
    if (path === '/moved') response.setHeader('Location', '/arrived')
    response.writeHead(path === '/moved' ? 308 : status).end()
  })
  system = await startSystem({ http: { allow: ['127.0.0.0/8'] }, webhookSecrets: SECRETS })
})
afterAll(async () => {
  await system.stop()
  await server.stop()
})
beforeEach(() => {
  server.received.length = 0
})

describe('a body that a client has chosen is sent without a signature', () => {
  const forgery = () => ({ url: `${server.url}/forged`, body: FORGED })

  test.each<[way: string, submit: () => Promise<string>]>([
    ['a submission', async () => (await system.submit('http_request', forgery())).id],
    [
      'a batch',
      async () => {
        const tasks = [{ name: 'http_request', input: forgery() }]
        const { body } = await system.request('POST', '/v1/tasks/batch', { tasks })
        return (body as { items: { id: string }[] }).items[0]?.id ?? ''
      },
    ],
    [
      'a replay with edited input',
      async () => {
        const harmless = await finished('http_request', { url: `${server.url}/harmless` })
        const { body } = await replay(harmless.id, { input: forgery() })
        return body.id
      },
    ],
  ])('%s', async (_way, submit) => {
    expect(await system.taskWhenFinal(await submit())).toMatchObject({ status: 'SUCCESS' })
    expectUnsigned(server.receivedAt('/forged'), 1)
  })

  test('a replay of many tasks', async () => {
    const { id } = await finished('http_request', forgery())
    await system.request('POST', '/v1/tasks/bulk', { action: 'replay', ids: [id] })
    await system.taskWhenFinal((await replaysOf(id))[0] ?? '')
    expectUnsigned(server.receivedAt('/forged'), 2)
  })

  test('nor does the input of http_request have an option for it', async () => {
    const input = { ...forgery(), sign: true }
    const { status, body } = await system.request('POST', '/v1/tasks/http_request', { input })
    expect(status).toBe(422)
    expect(body).toMatchObject({ errors: [{ pointer: '#/input/sign' }] })
  })
})

describe('a callback carries a valid signature', () => {
  test('for each of the secrets, over the exact bytes of its body', async () => {
    const { call, sent } = await callback('/signed', 'ä €')
    expect(call).toMatchObject({ name: 'callback', status: 'SUCCESS' })
    for (const secret of SECRETS) {
      expect(verified(sent, secret)).toMatchObject({
        type: 'task.success',
        data: { result: { text: '€ ä' } },
      })
      expect(() => verified({ ...sent, body: `${sent.body} ` }, secret)).toThrow()
    }
    expect(sent.headers['webhook-id']).toBe(call.id)
  })

  test('when it is replayed, also with many others', async () => {
    const { call, sent } = await callback('/replayed')
    const { status, body } = await replay(call.id)
    expect(status).toBe(202)
    await system.taskWhenFinal(body.id)
    await system.request('POST', '/v1/tasks/bulk', { action: 'replay', ids: [call.id] })
    for (const id of await replaysOf(call.id)) await system.taskWhenFinal(id)
    const all = server.receivedAt('/replayed')
    expect(all).toHaveLength(3)
    for (const one of all) {
      expect(one.body).toBe(sent.body)
      expect(verified(one)).toMatchObject({ type: 'task.success' })
    }
  })

  test('when it is replayed with a result that is longer than a submitted body may be', async () => {
    const { call } = await callback('/large', 'x'.repeat(10_000))
    // A handler may return up to 1 MiB; no definition of this project returns that much.
    const body = { type: 'task.success', data: 'x'.repeat(300_000) }
    const input = JSON.stringify({ url: `${server.url}/large`, body })
    await query(sql`update tasks set input = ${input}::json where id = ${call.id}`)
    const replayed = await replay(call.id)
    expect(replayed.status).toBe(202)
    await system.taskWhenFinal(replayed.body.id)
    const [, second] = server.receivedAt('/large')
    expect(verified(second as ReceivedRequest)).toMatchObject({ data: body.data })
  })

  test('after a manual retry', async () => {
    const { call } = await callback('/gone')
    expect(call).toMatchObject({ status: 'FAILURE', error: { name: 'PermanentError' } })
    expect(call.error?.message).toContain(`Task "callback": POST 127.0.0.1:${server.port} answered 410`)
    await system.request('POST', `/v1/tasks/${call.id}/retry`)
    await system.taskWhen(call.id, ({ status }) => status === 'SUCCESS')
    expect(server.receivedAt('/gone').map((request) => verified(request))).toMatchObject([
      { type: 'task.success' },
      { type: 'task.success' },
    ])
  })

  test('after a redirect that keeps its body', async () => {
    await callback('/moved')
    expect(verified(server.receivedAt('/arrived')[0] as ReceivedRequest)).toMatchObject({
      type: 'task.success',
    })
  })
})

describe('a client cannot submit a callback with a body of its own', () => {
  const input = () => ({ url: `${server.url}/forged`, body: FORGED })
  const unknown = { type: 'urn:waggle:problem:unknown_definition', status: 404 }

  test.each<[way: string, forge: () => Promise<unknown>]>([
    [
      'by its name',
      async () => (await system.request('POST', '/v1/tasks/callback', { input: input() })).body,
    ],
    [
      'in a batch',
      async () => {
        const tasks = [{ name: 'callback', input: input() }]
        const { body } = await system.request('POST', '/v1/tasks/batch', { tasks })
        return (body as { items: { problem: unknown }[] }).items[0]?.problem
      },
    ],
    [
      'by a replay with edited input',
      async () => (await replay((await callback('/edited')).call.id, { input: input() })).body,
    ],
  ])('%s', async (_way, forge) => {
    expect(await forge()).toMatchObject(unknown)
    expect(await submittedForgeries()).toEqual([])
  })

  test('nor with a form', async () => {
    for (const name of ['callback', 'http_request']) {
      const fields = { form_type: name, ...input() }
      const { status, body } = await system.request('POST', '/submit_task', fields)
      expect(status).toBe(422)
      expect(body).toMatchObject({ errors: [{ pointer: '#/form_type' }] })
    }
    const notification = { ...FORGED, email: 'ada@example.com', message: JSON.stringify(FORGED) }
    await system.request('POST', '/notify/', { ...notification, form_type: 'callback' })
    expect(await submittedForgeries()).toEqual([])
  })

  test('and is not offered it', async () => {
    const { body: definitions } = await system.request('GET', '/v1/definitions')
    const names = (definitions as { data: { name: string }[] }).data.map(({ name }) => name)
    expect(names).toContain('http_request')
    expect(names).not.toContain('callback')
    const { body: document } = await system.request('GET', '/openapi.json')
    const paths = Object.keys((document as { paths: object }).paths)
    expect(paths).toContain('/v1/tasks/http_request')
    expect(paths).not.toContain('/v1/tasks/callback')
  })
})

test('without WEBHOOK_SECRET a callback is sent without a signature', async () => {
  const withoutSecret = await startSystem({ http: { allow: ['127.0.0.0/8'] } })
  try {
    const options = { callback_url: `${server.url}/without-secret` }
    const { id } = await withoutSecret.submit('reverse', { text: 'x' }, options)
    const { callback_id } = await withoutSecret.taskWhen(id, (task) => task.callback_id !== null)
    expect(await withoutSecret.taskWhenFinal(callback_id ?? '')).toMatchObject({ status: 'SUCCESS' })
    expectUnsigned(server.receivedAt('/without-secret'), 1)
  } finally {
    await withoutSecret.stop()
  }
})

/**
 * Submits a task with this callback path. Resolves with its finished callback and the first request of it.
 */
async function callback(path: string, text = 'x'): Promise<{ call: FullTask; sent: ReceivedRequest }> {
  const { id } = await system.submit('reverse', { text }, { callback_url: server.url + path })
  const { callback_id } = await system.taskWhen(id, (task) => task.callback_id !== null)
  const call = await system.taskWhenFinal(callback_id ?? '')
  return { call, sent: server.receivedAt(path)[0] as ReceivedRequest }
}

async function finished(name: string, input: unknown): Promise<FullTask> {
  return system.taskWhenFinal((await system.submit(name, input)).id)
}

async function replay(id: string, body?: object): Promise<{ status: number; body: { id: string } }> {
  return system.request('POST', `/v1/tasks/${id}/replay`, body)
}

async function replaysOf(id: string): Promise<string[]> {
  return query(sql`select id from tasks where replayed_from = ${id} order by id`)
}

/** Returns the ids of callbacks with the URL of the forged ones. */
async function submittedForgeries(): Promise<string[]> {
  return query(sql`select id from tasks where name = 'callback' and input::text like '%/forged%'`)
}

async function query(statement: ReturnType<typeof sql>): Promise<string[]> {
  const rows = await system.connections.database.query<{ id: string }>(statement)
  return rows.map(({ id }) => id)
}

/** @throws WebhookVerificationError if the signature is missing or not valid */
function verified({ body, headers }: ReceivedRequest, secret = SECRETS[0] ?? ''): unknown {
  return new Webhook(secret).verify(body, headers as Record<string, string>)
}

function expectUnsigned(requests: ReceivedRequest[], count: number) {
  expect(requests).toHaveLength(count)
  for (const { headers } of requests)
    expect(Object.keys(headers).filter((name) => name.startsWith('webhook-'))).toEqual([])
}

function secretOf(byte: number): string {
  return `whsec_${Buffer.alloc(32, byte).toString('base64')}`
}
