// callback_url: each finished task makes exactly one callback, whichever process finished it and whichever
// process dies.
import { Webhook } from 'standardwebhooks'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import { sql } from '../../src/store/drizzle.ts'
import { createEvents } from '../../src/telemetry/events.ts'
import { startCallbacks } from '../../src/worker/loops/callbacks.ts'
import { largeInteger } from '../support/browser-definitions.ts'
import { startTestServer, type TestServer } from '../support/http-server.ts'
import { startSystem, type TestSystem } from '../support/system.ts'
import { createTestDefinitions } from '../support/test-definitions.ts'

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

let system: TestSystem
let server: TestServer
beforeAll(async () => {
  server = await startTestServer(({ path }, response, nth) => {
    response.writeHead(path === '/unavailable' && nth === 1 ? 503 : 200).end()
  })
})
afterAll(() => server.stop())
beforeEach(async () => {
  server.received.length = 0
  system = await startSystem({
    worker: false,
    definitions: [...createTestDefinitions(), largeInteger],
    http: { allow: ['127.0.0.1'], resolve: async () => [{ address: '10.0.0.1', family: 4 }] },
    webhookSecrets: [SECRET],
  })
})
afterEach(() => system.stop())

describe('a task that finishes in a worker', () => {
  test('as SUCCESS makes a signed callback with its result immediately', async () => {
    // The interval is longer than the test, so that only the end of the task wakes the loop.
    system.startWorker({ callbackMs: 3_600_000 })
    const options = { callback_url: `${server.url}/finished`, tags: ['a'] }
    const task = await system.submit('reverse', { text: 'äb' }, options)
    expect(task).toMatchObject({ callback_url: `${server.url}/finished`, callback_id: null, parent_id: null })
    const call = await finishedCallback(task.id)
    expect(call).toMatchObject({
      name: 'callback',
      status: 'SUCCESS',
      parent_id: task.id,
      callback_url: null,
      callback_id: null,
    })

    const [sent, ...rest] = server.receivedAt('/finished')
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

  test('as FAILURE makes a callback with its error', async () => {
    system.startWorker()
    const task = await submitWithCallback('divide', { x: 1, y: 0 })
    await finishedCallback(task.id)
    expect(payloads()).toMatchObject([
      {
        type: 'task.failure',
        data: { id: task.id, status: 'FAILURE', error: { message: 'Task "divide": y must not be 0' } },
      },
    ])
  })

  test('as CANCELLED makes a callback', async () => {
    system.startWorker()
    const task = await submitWithCallback('hold', {})
    await system.taskWhen(task.id, ({ status }) => status === 'STARTED')
    await system.request('POST', `/v1/tasks/${task.id}/cancel`)
    await finishedCallback(task.id)
    expect(payloads()).toMatchObject([{ type: 'task.cancelled', data: { id: task.id, attempt: 1 } }])
  })

  test('with a result that Postgres cannot store as text makes a callback', async () => {
    system.startWorker()
    const task = await submitWithCallback('reverse', { text: 'a\0b' })
    await finishedCallback(task.id)
    expect(payloads()).toMatchObject([{ data: { result: { text: 'b\0a' } } }])
  })

  test('with a number beyond a double makes a callback with all digits, also when the callback is replayed', async () => {
    system.startWorker()
    const call = await finishedCallback((await submitWithCallback('large_integer', {})).id)
    const replayed = await system.request('POST', `/v1/tasks/${call.id}/replay`)
    expect(replayed.status).toBe(202)
    await system.taskWhenFinal((replayed.body as { id: string }).id)
    const [first, second] = server.received.map(({ body }) => body)
    expect(first).toContain('"result":{"id":12345678901234567890}')
    expect(second).toBe(first)
  })

  test('makes no callback before its last attempt, and none without a callback_url', async () => {
    system.startWorker()
    const waiting = await submitWithCallback('email', { recipient: 'fail@x.yz', subject: 's', body: 'b' })
    const withoutCallback = await system.submit('reverse', { text: 'x' })
    await system.taskWhen(waiting.id, ({ status }) => status === 'RETRY')
    await system.taskWhenFinal(withoutCallback.id)
    expect(await system.connections.callbackStore.findEnded(10)).toEqual([])
    expect(await callbackCount()).toBe(0)
  })

  test('makes a second callback when it finishes again after a manual retry', async () => {
    system.startWorker()
    const task = await submitWithCallback('divide', { x: 1, y: 0 })
    const first = await finishedCallback(task.id)
    await system.request('POST', `/v1/tasks/${task.id}/retry`)
    const second = await finishedCallback(task.id, first.id)
    expect(second.id).not.toBe(first.id)
    expect(payloads().map(({ data }) => data.attempt)).toEqual([1, 2])
  })

  test('makes its callback later when the receiver responds with 503', async () => {
    system.startWorker()
    const options = { callback_url: `${server.url}/unavailable` }
    const task = await system.submit('reverse', { text: 'x' }, options)
    expect(await finishedCallback(task.id)).toMatchObject({ status: 'SUCCESS', attempt: 2 })
    const ids = server.receivedAt('/unavailable').map(({ headers }) => headers['webhook-id'])
    expect(new Set(ids).size).toBe(1)
  })
})

describe('a task that finishes outside its worker', () => {
  test('because it is cancelled while it waiting makes a callback', async () => {
    const task = await submitWithCallback('reverse', { text: 'x' }, { delay_seconds: 3_600 })
    await system.request('POST', `/v1/tasks/${task.id}/cancel`)
    system.startWorker()
    await finishedCallback(task.id)
    expect(payloads()).toMatchObject([{ type: 'task.cancelled', data: { id: task.id, attempt: 0 } }])
  })

  test('because its worker is missing and no retries are left makes a callback', async () => {
    const task = await submitWithCallback('hold', {}, { max_retries: 0 })
    // Claim the task for a worker that does not exist, like a worker that was killed.
    await system.connections.taskStore.claimMany([
      { id: task.id, attempt: 0, workerId: newId(), isRepeated: false },
    ])
    await system.connections.database.query(sql`update tasks set started_at = now() - interval '1 hour'`)
    system.startWorker()
    await finishedCallback(task.id)
    expect(payloads()).toMatchObject([{ type: 'task.failure', data: { error: { name: 'WorkerLost' } } }])
  })

  test('omits the stack of an error', async () => {
    const task = await submitWithCallback('hold', {})
    const workerId = newId()
    const { taskStore } = system.connections
    await taskStore.claimMany([{ id: task.id, attempt: 0, workerId, isRepeated: false }])
    const error = { name: 'RangeError', message: 'astray', retryable: true, stack: 'at /srv/waggle' }
    const decision = { status: 'FAILURE' as const, failures: 1, error }
    await taskStore.finishMany([{ id: task.id, attempt: 1, workerId, decision }])
    system.startWorker()
    await finishedCallback(task.id)
    expect((await system.task(task.id)).error).toEqual(error)
    expect(payloads().map(({ data }) => data.error)).toEqual([
      { name: 'RangeError', message: 'astray', retryable: true },
    ])
  })

  test('in a process that dies before it creates the callback gets one callback from another process', async () => {
    const finished = await submitFinished(30)
    system.startWorker({ callbackMs: 20 })
    system.startWorker({ callbackMs: 20 })
    for (const id of finished)
      expect(await finishedCallback(id)).toMatchObject({ status: 'SUCCESS', parent_id: id })
    const parentIds = payloads().map(({ data }) => data.id)
    expect(parentIds.toSorted()).toEqual(finished.toSorted())
    expect(await callbackCount()).toBe(30)
  })

  test('makes its callback also when more tasks have finished than fit into one batch', async () => {
    await submitFinished(250)
    const loop = startCallbacks({
      store: system.connections.callbackStore,
      registry: system.registry,
      onCreated: () => {},
      events: createEvents(),
      intervalMs: 3_600_000,
    })
    // Waits for the first round, which is the only round.
    await loop.stop()
    expect(await callbackCount()).toBe(250)
  })
})

describe('several processes that create callbacks', () => {
  test('create one callback for each task', async () => {
    const { callbackStore } = system.connections
    const finished = await submitFinished(20)
    const read = await callbackStore.findEnded(100)
    expect(read.map(({ id }) => id).toSorted()).toEqual(finished.toSorted())
    const callbacks = () => read.map(({ id, version }) => callbackFor(id, version))
    const counts = await Promise.all(
      Array.from({ length: 5 }, () => callbackStore.createMany(callbacks().reverse())),
    )
    const late = await callbackStore.createMany(callbacks())
    // A process skips tasks that another process has locked; the other process creates their callbacks.
    expect(counts.reduce((sum, count) => sum + count)).toBe(20)
    expect(late).toBe(0)
    expect(await callbackCount()).toBe(20)
  })

  test('create none for tasks that have one, are not finished, or have no callback_url', async () => {
    const { callbackStore, taskReader } = system.connections
    const [withCallback = ''] = await submitFinished(1)
    const waiting = await submitWithCallback('reverse', { text: 'x' })
    const withoutCallback = await system.submit('reverse', { text: 'x' })
    await system.request('POST', `/v1/tasks/${withoutCallback.id}/cancel`)
    const createAll = async () => {
      const rows = await Promise.all([withCallback, waiting.id, withoutCallback.id].map(taskReader.find))
      return callbackStore.createMany(rows.map((row) => callbackFor(row?.id ?? '', row?.version ?? 0)))
    }
    expect(await createAll()).toBe(1)
    expect(await system.task(withCallback)).toMatchObject({ callback_id: expect.any(String) })
    expect(await createAll()).toBe(0)
  })

  test('create none for an end of a task from before a retry', async () => {
    const { callbackStore, taskStore } = system.connections
    const [id = ''] = await submitFinished(1, 'FAILURE')
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
    'that is not allowed rejects the submission: %s',
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

  test('that resolves to an internal address ends as a failed callback', async () => {
    system.startWorker()
    const options = { callback_url: 'http://hooks.example.com/' }
    const task = await system.submit('reverse', { text: 'x' }, options)
    expect(await system.taskWhenFinal(task.id)).toMatchObject({ status: 'SUCCESS' })
    expect(await finishedCallback(task.id)).toMatchObject({
      status: 'FAILURE',
      attempt: 1,
      error: { message: expect.stringContaining('HTTP_REQUEST_ALLOW') },
    })
  })
})

function submitWithCallback(name: string, input: unknown, options: object = {}) {
  return system.submit(name, input, { ...options, callback_url: `${server.url}/finished` })
}

/** Creates finished tasks without callbacks, like a process that dies between the two. */
async function submitFinished(count: number, status: 'SUCCESS' | 'FAILURE' = 'SUCCESS'): Promise<string[]> {
  const options = { callbackUrl: `${server.url}/finished` }
  const submitted = await Promise.all(
    Array.from({ length: count }, () => system.service.submit('reverse', { text: 'x' }, options)),
  )
  await system.connections.database.query(
    sql`update tasks set status = ${status}, attempt = 1, result = '{"text": "x"}', finished_at = now()`,
  )
  return submitted.map(({ id }) => id)
}

/** Returns the callback when it has finished. */
async function finishedCallback(id: string, exceptId?: string) {
  const { callback_id } = await system.taskWhen(
    id,
    ({ callback_id }) => callback_id !== null && callback_id !== exceptId,
  )
  return system.taskWhenFinal(callback_id ?? '')
}

function payloads(): { type: string; data: { id: string; attempt: number; error: unknown } }[] {
  return server.received.map(({ body }) => JSON.parse(body))
}

async function callbackCount(): Promise<number> {
  const rows = await system.connections.database.query<{ count: number }>(
    sql`select count(*)::int as count from tasks where name = 'callback'`,
  )
  return rows[0]?.count ?? 0
}

function callbackFor(parentId: string, parentVersion: number) {
  return {
    id: newId(),
    name: 'callback',
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
