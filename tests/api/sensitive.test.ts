// Sensitive fields: every response masks them, except for keys with the scope `reveal` that ask for them; searches
// of other keys do not compare them.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { OpenApiDocument } from '../../src/api/openapi/document.ts'
import { newId } from '../../src/base/uuidv7.ts'
import { createClient } from '../../src/client/client.ts'
import { defineTask } from '../../src/definitions/define.ts'
import { createTestKeys } from '../support/api-keys.ts'
import { createDocumentChecker } from '../support/documented.ts'
import { startTestServer, type TestServer } from '../support/http-server.ts'
import { type FullTask, startSystem, type TestSystem, until } from '../support/system.ts'

const token = z.string().min(3).meta({ title: 'Token', sensitive: true })
const charge = defineTask({
  name: 'charge',
  title: 'Charge',
  description: 'Has sensitive fields.',
  input: z.object({
    email: z.string(),
    token,
    card: z.object({ number: z.number().meta({ sensitive: true }), month: z.int() }),
    extra: z.array(z.object({ code: token })).default([]),
  }),
  output: z.object({ receipt: z.string(), key: token }),
  example: { email: 'ada@example.com', token: 'tok', card: { number: 4242, month: 12 }, extra: [] },
  maxRetries: 0,
  async run({ email, token, card }, { attempt }) {
    if (email === 'fail') throw new Error('declined')
    if (email === 'fail once' && attempt === 1) throw new Error('declined')
    return { receipt: email, key: `${token}-${card.number}` }
  },
})

const INPUT = {
  email: 'ada@example.com',
  token: 'tok_SECRET',
  card: { number: 42424242, month: 12 },
  extra: [{ code: 'xSECRETx' }],
}
const MASKED = {
  email: 'ada@example.com',
  token: '[sensitive]',
  card: { number: '[sensitive]', month: 12 },
  extra: [{ code: '[sensitive]' }],
}
const MASKED_RESULT = { receipt: 'ada@example.com', key: '[sensitive]' }

const keys = createTestKeys({
  all: ['submit', 'read', 'operate', 'reveal'],
  plain: ['submit', 'read', 'operate'],
})

let system: TestSystem
let server: TestServer
beforeAll(async () => {
  server = await startTestServer((_, response) => void response.writeHead(200).end())
  system = await startSystem({
    definitions: [charge],
    apiKeys: keys.apiKeys,
    http: { allow: ['127.0.0.1'], resolve: async () => [{ address: '10.0.0.1', family: 4 }] },
  })
})
afterAll(async () => {
  await system.stop()
  await server.stop()
})

async function request<Body = FullTask>(key: 'all' | 'plain', method: string, path: string, body?: unknown) {
  const response = await system.request(method, path, body, keys.headers(key))
  return { ...response, body: response.body as Body }
}

async function submit(input: object = INPUT, options?: object) {
  const { status, body } = await request('plain', 'POST', '/v1/tasks/charge', { input, options })
  expect(status).toBe(202)
  return body
}

async function finished(id: string, key: 'all' | 'plain' = 'plain', query = '') {
  const { body } = await request(key, 'GET', `/v1/tasks/${id}?wait=30${query}`)
  return body
}

describe('without reveal, responses mask the values', () => {
  test('to a submission, also with tags, in a batch, and of a replay', async () => {
    const task = await submit()
    expect(task.input).toEqual(MASKED)
    expect((await submit(INPUT, { tags: ['a'] })).input).toEqual(MASKED)
    const { body } = await request('plain', 'POST', `/v1/tasks/${task.id}/replay`, {})
    expect(body.input).toEqual(MASKED)
    expect((await finished(body.id, 'all', '&reveal=true')).input).toEqual(INPUT)
    const batch = await request('plain', 'POST', '/v1/tasks/batch', {
      tasks: [{ name: 'charge', input: INPUT }],
    })
    expect(JSON.stringify(batch.body)).not.toContain('SECRET')
  })

  test('of the task, its status, its events, and of cancel and retry', async () => {
    const { id } = await submit()
    expect(await finished(id)).toMatchObject({ input: MASKED, result: MASKED_RESULT })
    const { body } = await request('plain', 'GET', `/task_status/${id}`)
    expect(body.result).toEqual(MASKED_RESULT)
    const events = await fetch(`${system.url}/v1/tasks/${id}/events`, { headers: keys.headers('all') })
    const text = await events.text()
    expect(text).toContain('[sensitive]')
    expect(text).not.toContain('SECRET')
    const { id: other } = await submit(INPUT, { delay_seconds: 3_600 })
    for (const action of ['cancel', 'retry'])
      expect((await request('all', 'POST', `/v1/tasks/${other}/${action}`)).body.input).toEqual(MASKED)
  })

  test('of lists, whole and compact, also for a key with the scope', async () => {
    const { id } = await submit(INPUT, { tags: ['listed'] })
    await finished(id)
    type Page = { data: Record<string, unknown>[] }
    const { body } = await request<Page>('all', 'GET', '/v1/tasks?tag=listed')
    expect(body.data).toMatchObject([{ id, input: MASKED, result: MASKED_RESULT }])
    const compact = await request<Page>('all', 'GET', '/v1/tasks?tag=listed&compact=true')
    expect(compact.body.data).toMatchObject([
      { id, input_excerpt: JSON.stringify(MASKED), result_excerpt: JSON.stringify(MASKED_RESULT) },
    ])
  })

  test('of compact lists when the values are longer than an excerpt', async () => {
    const { id } = await submit({ ...INPUT, email: 'x'.repeat(190) }, { tags: ['long'] })
    const { id: huge } = await submit({ ...INPUT, email: 'x'.repeat(20_000) }, { tags: ['long'] })
    const { id: plain } = await (
      await request('plain', 'POST', '/v1/tasks/reverse', {
        input: { text: 'y'.repeat(300) },
        options: { tags: ['long'] },
      })
    ).body
    type Page = { data: { id: string; input_excerpt: string; result_excerpt: string | null }[] }
    const { body } = await request<Page>('all', 'GET', '/v1/tasks?tag=long&compact=true')
    expect(body.data.map(({ id, input_excerpt }) => [id, input_excerpt])).toEqual([
      [plain, JSON.stringify({ text: 'y'.repeat(300) }).slice(0, 200)],
      [huge, '[sensitive]'],
      [id, JSON.stringify({ ...MASKED, email: 'x'.repeat(190) }).slice(0, 200)],
    ])
  })

  test('of late ends of attempts', async () => {
    const ids = []
    for (const end of [
      { result: '{"receipt":"r","key":"k-SECRET"}' },
      { result: '{"key":"SECRET', isResultCut: true as const },
    ])
      ids.push(await loseAttempt(end))
    const refused = async (id: string) =>
      (await request('all', 'GET', `/v1/tasks/${id}`)).body.attempts.map(({ refused }) => refused)
    expect(await refused(ids[0] as string)).toMatchObject([{ result: { receipt: 'r', key: '[sensitive]' } }])
    expect(await refused(ids[1] as string)).toMatchObject([{ result: null, result_excerpt: '[sensitive]' }])
    const { body } = await request('all', 'GET', `/v1/tasks/${ids[0]}?reveal=true`)
    expect(body.attempts[0]?.refused?.result).toEqual({ receipt: 'r', key: 'k-SECRET' })
  })

  test('callbacks mask them, too', async () => {
    const { id } = await submit(INPUT, { callback_url: `${server.url}/charged` })
    await finished(id)
    const [call] = await until(
      async () => server.receivedAt('/charged'),
      ({ length }) => length > 0,
    )
    expect(JSON.parse(call?.body ?? '').data.result).toEqual(MASKED_RESULT)
  })
})

/** Creates a task whose first attempt was lost and ended late. */
async function loseAttempt(end: { result: string; isResultCut?: true }): Promise<string> {
  const { taskStore } = system.connections
  const { id } = await submit(INPUT, { queue: 'unserved' })
  const workerId = newId()
  await taskStore.claimMany([{ id, attempt: 0, workerId, isRepeated: false }])
  const error = { name: 'WorkerLost', message: 'worker lost during attempt 1', retryable: true }
  const decision = { status: 'RETRY' as const, error, failures: 1, delayMs: 3_600_000 }
  await taskStore.finishMany([{ id, attempt: 1, workerId, decision }])
  const refused = { at: new Date().toISOString(), status: 'SUCCESS' as const, ...end, log: [] }
  const late = { status: 'SUCCESS' as const, failures: 0 }
  await taskStore.recordRefusedMany([
    { id, attempt: 1, workerId, decision: late, startedAt: new Date(), refused },
  ])
  return id
}

describe('reveal=true', () => {
  test('returns the values to a key with the scope, with another entity tag', async () => {
    const { id } = await submit()
    await finished(id)
    const { body, headers } = await request('all', 'GET', `/v1/tasks/${id}?reveal=true`)
    expect(body).toMatchObject({ input: INPUT, result: { key: 'tok_SECRET-42424242' } })
    expect(headers.get('Cache-Control')).toBe('no-store')
    const masked = await request('all', 'GET', `/v1/tasks/${id}?reveal=false`)
    expect(masked.body.input).toEqual(MASKED)
    expect(masked.headers.get('ETag')).not.toBe(headers.get('ETag'))
    const client = createClient({ baseUrl: system.url, apiKey: keys.key('all') })
    expect((await client.task(id, { reveal: true })).input).toEqual(INPUT)
  })

  test('is refused without the scope, and with a poll token', async () => {
    const { id, poll_token } = await submit()
    const { status, body } = await request<{ detail: string }>('plain', 'GET', `/v1/tasks/${id}?reveal=true`)
    expect([status, body.detail]).toEqual([403, 'reveal=true needs an API key with the scope "reveal"'])
    const polled = await fetch(`${system.url}/v1/tasks/${id}?reveal=true&poll_token=${poll_token}`)
    expect(polled.status).toBe(403)
  })

  test('is allowed without API keys', async () => {
    const open = await startSystem({ definitions: [charge], worker: false })
    try {
      const { id, input } = await open.submit('charge', INPUT)
      expect(input).toEqual(MASKED)
      const { body } = await open.request('GET', `/v1/tasks/${id}?reveal=true`)
      expect((body as FullTask).input).toEqual(INPUT)
      const found = await open.request('GET', '/v1/tasks?q=tok_SECRET')
      expect((found.body as { data: unknown[] }).data).toHaveLength(1)
      const access = await open.request('GET', '/v1/access')
      expect((access.body as { scopes: string[] }).scopes).toContain('reveal')
    } finally {
      await open.stop()
    }
  })
})

describe('searches', () => {
  let id: string
  beforeAll(async () => {
    ;({ id } = await submit(INPUT, { tags: ['searched'] }))
    await finished(id)
  })

  async function found(key: 'all' | 'plain', query: string): Promise<number> {
    const path = `?tag=searched&${query}`
    const { body } = await request<{ data: unknown[] }>(key, 'GET', `/v1/tasks${path}`)
    const { body: counted } = await request<{ count: number }>(key, 'GET', `/v1/tasks/count${path}`)
    const filter = Object.fromEntries(new URLSearchParams(path))
    const bulk = await request<{ changed: number; skipped: number }>(key, 'POST', '/v1/tasks/bulk', {
      action: 'cancel',
      filter,
    })
    expect([counted.count, bulk.body.changed + bulk.body.skipped]).toEqual([
      body.data.length,
      body.data.length,
    ])
    return body.data.length
  }

  test.each([
    'q=tok_SECRET',
    'q=tok_SECRET-42424242',
    'q=xsecretx',
    'input.token=tok_SECRET',
    'input.card.number=42424242',
    `input.card=${JSON.stringify(INPUT.card)}`,
    'input.extra.0.code=xSECRETx',
    `input.extra=${JSON.stringify(INPUT.extra)}`,
  ])('%s finds the task only for a key with the scope', async (query) => {
    expect(await found('plain', query)).toBe(0)
    expect(await found('all', query)).toBe(1)
  })

  test.each(['q=charge', 'q=SEARCHED', 'input.email=ada@example.com', 'input.card.month=12'])(
    '%s finds it for every key',
    async (query) => {
      expect(await found('plain', query)).toBe(1)
    },
  )

  test('inputs of other definitions are searched for every key', async () => {
    await request('plain', 'POST', '/v1/tasks/reverse', {
      input: { text: 'tok_OTHER' },
      options: { tags: ['searched'] },
    })
    expect(await found('plain', 'q=tok_OTHER')).toBe(1)
    expect(await found('plain', 'input.text=tok_OTHER')).toBe(1)
  })
})

test('an input with a mask in place of a sensitive value is refused', async () => {
  type Problem = { errors: { pointer: string; detail: string }[] }
  const input = { ...INPUT, token: '[sensitive]', extra: [{ code: '[sensitive]' }], email: '[sensitive]' }
  const { status, body } = await request<Problem>('plain', 'POST', '/v1/tasks/charge', { input })
  expect(status).toBe(422)
  const detail =
    'must be the sensitive value, not its mask [sensitive]; a replay without an input keeps all values'
  expect(body.errors).toEqual([
    { pointer: '#/input/token', detail },
    { pointer: '#/input/extra/0/code', detail },
  ])
})

test('schemas mark the fields, and the document allows the mask in responses', async () => {
  type Definitions = { data: { name: string; input_schema: { properties: object } }[] }
  const { body } = await request<Definitions>('plain', 'GET', '/v1/definitions')
  const properties = body.data.find(({ name }) => name === 'charge')?.input_schema.properties
  expect(properties).toMatchObject({
    token: { title: 'Token', type: 'string', 'x-sensitive': true },
    email: { type: 'string' },
  })
  expect(JSON.stringify(body)).not.toContain('"sensitive"')
  const { body: document } = await request<OpenApiDocument>('plain', 'GET', '/openapi.json')
  const { components } = document
  expect(components.schemas.ChargeInput).toMatchObject({ properties: { token: { 'x-sensitive': true } } })
  const shown = {
    anyOf: [{ title: 'Token', type: 'string', minLength: 3 }, { const: '[sensitive]' }],
    'x-sensitive': true,
  }
  expect(components.schemas.ChargeTask).toMatchObject({
    properties: {
      input: { properties: { token: shown, card: { properties: { month: { type: 'integer' } } } } },
      result: { anyOf: [{ properties: { key: shown } }, { type: 'null' }] },
    },
  })
  const { faultOf } = createDocumentChecker(document)
  const schema = { $ref: '#/components/schemas/ChargeTask' }
  expect(faultOf(schema, await submit())).toBeNull()
  const { input } = await submit()
  expect(faultOf(schema, { ...(await submit()), input: { ...(input as object), email: 5 } })).toContain(
    'email',
  )
})
