// `callback_url`: whoever asked for it is told that a task has ended, once, whoever ended it and whatever dies meanwhile.

import { Webhook } from 'standardwebhooks'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import { sql } from '../../src/store/drizzle.ts'
import { createEvents } from '../../src/telemetry/events.ts'
import { startCallbacks } from '../../src/worker/callbacks.ts'
import { countFar } from '../support/browser-definitions.ts'
import { startTestServer, type TestServer } from '../support/http-server.ts'
import { startSystem, type TestSystem } from '../support/system.ts'
import { createTestDefinitions } from '../support/test-definitions.ts'

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

let system: TestSystem
let server: TestServer
beforeAll(async () => {
  server = await startTestServer(({ path }, response, nth) => {
    response.writeHead(path === '/away' && nth === 1 ? 503 : 200).end()
  })
})
afterAll(() => server.stop())
beforeEach(async () => {
  server.received.length = 0
  system = await startSystem({
    worker: false,
    definitions: [...createTestDefinitions(), countFar],
    http: { allow: ['127.0.0.1'], resolve: async () => [{ address: '10.0.0.1', family: 4 }] },
    webhookSecrets: [SECRET],
  })
})
afterEach(() => system.stop())

describe('a task that ends in a worker', () => {
  test('as SUCCESS is told with its result, signed, at once', async () => {
    // Nobody looks before the test is over: it is the end of the task that wakes the loop.
    system.startWorker({ callbackMs: 3_600_000 })
    const options = { callback_url: `${server.url}/ended`, tags: ['a'] }
    const task = await system.submit('reverse', { text: 'äb' }, options)
    expect(task).toMatchObject({ callback_url: `${server.url}/ended`, callback_id: null, parent_id: null })
    const call = await callOf(task.id)
    expect(call).toMatchObject({
      name: 'http_request',
      status: 'SUCCESS',
      parent_id: task.id,
      callback_url: null,
      callback_id: null,
    })

    const [sent, ...rest] = server.receivedAt('/ended')
    expect(rest).toEqual([])
    expect(sent).toMatchObject({
      method: 'POST',
      headers: { 'content-type': 'application/json', 'webhook-id': call.id, 'idempotency-key': call.id },
    })
    const { created_at, finished_at } = await system.task(task.id)
    expect(new Webhook(SECRET).verify(sent?.body ?? '', sent?.headers as Record<string, string>)).toEqual({
      type: 'task.success',
      timestamp: finished_at,
      data: {
        id: task.id,
        name: 'reverse',
        queue: 'default',
        status: 'SUCCESS',
        result: { text: 'bä' },
        error: null,
        attempt: 1,
        tags: ['a'],
        created_at,
        finished_at,
      },
    })
  })

  test('as FAILURE is told with its error', async () => {
    system.startWorker()
    const task = await submitWithCallback('divide', { x: 1, y: 0 })
    await callOf(task.id)
    expect(payloads()).toMatchObject([
      {
        type: 'task.failure',
        data: { id: task.id, status: 'FAILURE', error: { message: 'Task "divide": y must not be 0' } },
      },
    ])
  })

  test('as CANCELLED is told', async () => {
    system.startWorker()
    const task = await submitWithCallback('hold', {})
    await system.taskWhen(task.id, ({ status }) => status === 'STARTED')
    await system.request('POST', `/v1/tasks/${task.id}/cancel`)
    await callOf(task.id)
    expect(payloads()).toMatchObject([{ type: 'task.cancelled', data: { id: task.id, attempt: 1 } }])
  })

  test('with what Postgres cannot keep as text is told all the same', async () => {
    system.startWorker()
    const task = await submitWithCallback('reverse', { text: 'a\0b' })
    await callOf(task.id)
    expect(payloads()).toMatchObject([{ data: { result: { text: 'b\0a' } } }])
  })

  test('with a number that no double holds is told digit by digit, and so by a replay', async () => {
    system.startWorker()
    const call = await callOf((await submitWithCallback('count_far', {})).id)
    const replayed = await system.request('POST', `/v1/tasks/${call.id}/replay`)
    expect(replayed.status).toBe(202)
    await system.taskWhenFinal((replayed.body as { id: string }).id)
    const [first, second] = server.received.map(({ body }) => body)
    expect(first).toContain('"result":{"id":12345678901234567890}')
    expect(second).toBe(first)
  })

  test('is not told before its last attempt, nor without having asked', async () => {
    system.startWorker()
    const waits = await submitWithCallback('email', { recipient: 'fail@x.yz', subject: 's', body: 'b' })
    const silent = await system.submit('reverse', { text: 'x' })
    await system.taskWhen(waits.id, ({ status }) => status === 'RETRY')
    await system.taskWhenFinal(silent.id)
    expect(await system.connections.callbackStore.findEnded(10)).toEqual([])
    expect(await callbackCount()).toBe(0)
  })

  test('is told again when it has ended again after a retry by hand', async () => {
    system.startWorker()
    const task = await submitWithCallback('divide', { x: 1, y: 0 })
    const first = await callOf(task.id)
    await system.request('POST', `/v1/tasks/${task.id}/retry`)
    const second = await callOf(task.id, first.id)
    expect(second.id).not.toBe(first.id)
    expect(payloads().map(({ data }) => data.attempt)).toEqual([1, 2])
  })

  test('is told later when the other side is away', async () => {
    system.startWorker()
    const options = { callback_url: `${server.url}/away` }
    const task = await system.submit('reverse', { text: 'x' }, options)
    expect(await callOf(task.id)).toMatchObject({ status: 'SUCCESS', attempt: 2 })
    const ids = server.receivedAt('/away').map(({ headers }) => headers['webhook-id'])
    expect(new Set(ids).size).toBe(1)
  })
})

describe('a task that ends elsewhere', () => {
  test('by being cancelled while it waits is told', async () => {
    const task = await submitWithCallback('reverse', { text: 'x' }, { delay_seconds: 3_600 })
    await system.request('POST', `/v1/tasks/${task.id}/cancel`)
    system.startWorker()
    await callOf(task.id)
    expect(payloads()).toMatchObject([{ type: 'task.cancelled', data: { id: task.id, attempt: 0 } }])
  })

  test('with a worker that is lost for the last time is told', async () => {
    const task = await submitWithCallback('hold', {}, { max_retries: 0 })
    // As a worker that was killed leaves it.
    await system.connections.taskStore.claimMany([
      { id: task.id, attempt: 0, workerId: newId(), isRepeated: false },
    ])
    await system.connections.database.query(sql`update tasks set started_at = now() - interval '1 hour'`)
    system.startWorker()
    await callOf(task.id)
    expect(payloads()).toMatchObject([{ type: 'task.failure', data: { error: { name: 'WorkerLost' } } }])
  })

  test('in a process that dies before it can tell is told by another, once', async () => {
    const ended = await submitEnded(30)
    system.startWorker({ callbackMs: 20 })
    system.startWorker({ callbackMs: 20 })
    for (const id of ended) expect(await callOf(id)).toMatchObject({ status: 'SUCCESS', parent_id: id })
    const told = payloads().map(({ data }) => data.id)
    expect(told.toSorted()).toEqual(ended.toSorted())
    expect(await callbackCount()).toBe(30)
  })

  test('is told by a worker that has more of them than it takes at once', async () => {
    await submitEnded(250)
    const loop = startCallbacks({
      store: system.connections.callbackStore,
      registry: system.registry,
      onCreated: () => {},
      events: createEvents(),
      intervalMs: 3_600_000,
    })
    // Waits for the first round, which is the only one.
    await loop.stop()
    expect(await callbackCount()).toBe(250)
  })
})

describe('of several who want to tell', () => {
  test('one does, whenever they come', async () => {
    const { callbackStore } = system.connections
    const ended = await submitEnded(20)
    const read = await callbackStore.findEnded(100)
    expect(read.map(({ id }) => id).toSorted()).toEqual(ended.toSorted())
    const callbacks = () => read.map(({ id, version }) => callbackFor(id, version))
    const counts = await Promise.all(
      Array.from({ length: 5 }, () => callbackStore.createMany(callbacks().reverse())),
    )
    const late = await callbackStore.createMany(callbacks())
    // What one of them skipped since another had it in hand is that other's.
    expect(counts.reduce((sum, count) => sum + count)).toBe(20)
    expect(late).toBe(0)
    expect(await callbackCount()).toBe(20)
  })

  test('none tells of what has been told, has not ended or did not ask', async () => {
    const { callbackStore, taskReader } = system.connections
    const [told = ''] = await submitEnded(1)
    const waits = await submitWithCallback('reverse', { text: 'x' })
    const silent = await system.submit('reverse', { text: 'x' })
    await system.request('POST', `/v1/tasks/${silent.id}/cancel`)
    const createAll = async () => {
      const rows = await Promise.all([told, waits.id, silent.id].map(taskReader.find))
      return callbackStore.createMany(rows.map((row) => callbackFor(row?.id ?? '', row?.version ?? 0)))
    }
    expect(await createAll()).toBe(1)
    expect(await system.task(told)).toMatchObject({ callback_id: expect.any(String) })
    expect(await createAll()).toBe(0)
  })

  test('none tells how a task had ended before it was retried', async () => {
    const { callbackStore, taskStore } = system.connections
    const [id = ''] = await submitEnded(1, 'FAILURE')
    const [read] = await callbackStore.findEnded(1)
    await taskStore.retryMany([id])
    expect(await callbackStore.createMany([callbackFor(id, read?.version ?? 0)])).toBe(0)
    await taskStore.cancelMany([id])
    expect(await callbackStore.createMany([callbackFor(id, read?.version ?? 0)])).toBe(0)
    expect(await callbackCount()).toBe(0)
  })
})

describe('a callback_url', () => {
  test.each(['ftp://x.yz/', 'nonsense', 'http://10.0.0.1/', 'http://[::1]/', 'http://a:b@x.yz/'])(
    'is refused with the submission: %s',
    async (url) => {
      const { status, body } = await system.request('POST', '/v1/tasks/reverse', {
        input: { text: 'x' },
        options: { callback_url: url },
      })
      expect(status).toBe(422)
      expect(body).toMatchObject({ errors: [{ pointer: '#/options/callback_url' }] })
      expect(await system.countByStatus()).toEqual({})
    },
  )

  test('that turns out to be internal fails as a task that can be seen', async () => {
    system.startWorker()
    const options = { callback_url: 'http://hooks.example.com/' }
    const task = await system.submit('reverse', { text: 'x' }, options)
    expect(await system.taskWhenFinal(task.id)).toMatchObject({ status: 'SUCCESS' })
    expect(await callOf(task.id)).toMatchObject({
      status: 'FAILURE',
      attempt: 1,
      error: { message: expect.stringContaining('HTTP_REQUEST_ALLOW') },
    })
  })
})

function submitWithCallback(name: string, input: unknown, options: object = {}) {
  return system.submit(name, input, { ...options, callback_url: `${server.url}/ended` })
}

/** As a process leaves them that died between the end and the callback. */
async function submitEnded(count: number, status: 'SUCCESS' | 'FAILURE' = 'SUCCESS'): Promise<string[]> {
  const options = { callbackUrl: `${server.url}/ended` }
  const submitted = await Promise.all(
    Array.from({ length: count }, () => system.service.submit('reverse', { text: 'x' }, options)),
  )
  await system.connections.database.query(
    sql`update tasks set status = ${status}, attempt = 1, result = '{"text": "x"}', finished_at = now()`,
  )
  return submitted.map(({ id }) => id)
}

/** The task that tells, when it has ended. */
async function callOf(id: string, exceptId?: string) {
  const { callback_id } = await system.taskWhen(
    id,
    ({ callback_id }) => callback_id !== null && callback_id !== exceptId,
  )
  return system.taskWhenFinal(callback_id ?? '')
}

function payloads(): { type: string; data: { id: string; attempt: number } }[] {
  return server.received.map(({ body }) => JSON.parse(body))
}

async function callbackCount(): Promise<number> {
  const rows = await system.connections.database.query<{ count: number }>(
    sql`select count(*)::int as count from tasks where name = 'http_request'`,
  )
  return rows[0]?.count ?? 0
}

function callbackFor(parentId: string, parentVersion: number) {
  return {
    id: newId(),
    name: 'http_request',
    queue: 'default',
    input: {},
    maxRetries: 0,
    timeoutMs: 1_000,
    tags: [],
    createdAt: new Date(),
    parentId,
    parentVersion,
  }
}
