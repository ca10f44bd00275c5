// Idempotency-Key: a repeated request creates no second task.
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApiDependencies } from '../../src/api/dependencies.ts'
import { newId } from '../../src/base/uuidv7.ts'
import { openConnections } from '../../src/connections.ts'
import { createTestKeys } from '../support/api-keys.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'

const keys = createTestKeys({ one: ['submit', 'read', 'operate'], other: ['submit'] })
const as = (name: string, key: string) => ({ ...keys.headers(name), 'Idempotency-Key': key })
const REVERSE = { input: { text: 'ab' } }

let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ apiKeys: keys.apiKeys })
})
afterAll(() => system.stop())

interface SubmissionResponse {
  status: number
  headers: Headers
  body: { id: string; type?: string; accepted?: number; items?: { id: string }[]; task_id?: string }
}

function post(path: string, body: unknown, headers: Record<string, string>): Promise<SubmissionResponse> {
  return system.request('POST', path, body, headers)
}

async function countTasks(): Promise<number> {
  return Object.values(await system.countByStatus()).reduce((sum, count) => sum + count, 0)
}

describe('the same key and body', () => {
  test('get the first response again, and create one task that runs once', async () => {
    const first = await post('/v1/tasks/reverse', REVERSE, as('one', 'k-1'))
    expect(first.status).toBe(202)
    expect(first.headers.get('Idempotent-Replayed')).toBeNull()
    await until(
      async () =>
        (await system.request('GET', `/v1/tasks/${first.body.id}`, undefined, keys.headers('one'))).body,
      (task: { status: string }) => task.status === 'SUCCESS',
    )
    const again = await post('/v1/tasks/reverse', REVERSE, as('one', 'k-1'))
    expect(again.status).toBe(202)
    expect(again.headers.get('Idempotent-Replayed')).toBe('true')
    expect(again.headers.get('Location')).toBe(first.headers.get('Location'))
    // The body is that of the first response, not the current state.
    expect(again.body).toEqual(first.body)
  })

  test.each([
    ['/notify', { email: 'ada@example.com' }],
    ['/submit_task', { form_type: 'reverse', text: 'ab' }],
  ])('create one task with %s', async (path, body) => {
    const first = await post(path, body, as('one', 'form-endpoint'))
    const again = await post(path, body, as('one', 'form-endpoint'))
    expect(again.headers.get('Idempotent-Replayed')).toBe('true')
    expect(again.body.task_id).toBe(first.body.task_id)
  })

  test('create one replay', async () => {
    const { body: task } = await post('/v1/tasks/reverse', REVERSE, keys.headers('one'))
    const first = await post(`/v1/tasks/${task.id}/replay`, {}, as('one', 'replay'))
    const again = await post(`/v1/tasks/${task.id}/replay`, {}, as('one', 'replay'))
    expect(again.body.id).toBe(first.body.id)
    expect(first.body.id).not.toBe(task.id)
  })

  test('create each task of a batch once', async () => {
    const batch = {
      tasks: [
        { name: 'reverse', ...REVERSE },
        { name: 'nothing', input: 1 },
        { name: 'reverse', ...REVERSE },
      ],
    }
    const before = await countTasks()
    const first = await post('/v1/tasks/batch', batch, as('one', 'batch'))
    const again = await post('/v1/tasks/batch', batch, as('one', 'batch'))
    expect(first.body).toMatchObject({ accepted: 2, rejected: 1 })
    expect(again.body).toEqual(first.body)
    expect(await countTasks()).toBe(before + 2)
  })

  test('get Idempotent-Replayed for a repeated batch, also when some of its tasks were rejected', async () => {
    const batch = {
      tasks: [
        { name: 'nothing', input: 1 },
        { name: 'reverse', ...REVERSE },
      ],
    }
    const first = await post('/v1/tasks/batch', batch, as('one', 'batch-header'))
    const again = await post('/v1/tasks/batch', batch, as('one', 'batch-header'))
    expect([first.headers.get('Idempotent-Replayed'), again.headers.get('Idempotent-Replayed')]).toEqual([
      null,
      'true',
    ])
  })

  test.each([
    ['members in another order', '{"options":{"tags":["a"]},"input":{"text":"ab"}}'],
    ['other white space', '{ "input" : {"text": "ab"} , "options":{"tags":["a"]} }'],
  ])('match a body with %s', async (_what, text) => {
    const send = (body: string) =>
      fetch(`${system.url}/v1/tasks/reverse`, {
        method: 'POST',
        headers: { ...as('one', 'spelling'), 'Content-Type': 'application/json' },
        body,
      })
    await send('{"input":{"text":"ab"},"options":{"tags":["a"]}}')
    const again = await send(text)
    expect([again.status, again.headers.get('Idempotent-Replayed')]).toEqual([202, 'true'])
  })
})

describe('an Idempotency-Key', () => {
  test('is rejected with another body and creates no task', async () => {
    await post('/v1/tasks/reverse', REVERSE, as('one', 'k-2'))
    const before = await countTasks()
    const other = await post('/v1/tasks/reverse', { input: { text: 'other' } }, as('one', 'k-2'))
    expect(other.status).toBe(422)
    expect(other.body).toMatchObject({ type: 'urn:waggle:problem:idempotency_key_reused' })
    expect(await countTasks()).toBe(before)
  })

  test('is rejected with another batch, even when the two batches have tasks in common', async () => {
    const reverse = (text: string) => ({ name: 'reverse', input: { text } })
    await post('/v1/tasks/batch', { tasks: ['no task', reverse('a')] }, as('one', 'k-batch'))
    const before = await countTasks()
    for (const tasks of [[reverse('b')], ['no task', 'none', reverse('c'), reverse('d')], [reverse('a')]]) {
      const other = await post('/v1/tasks/batch', { tasks }, as('one', 'k-batch'))
      expect(other.status).toBe(422)
      expect(other.body).toMatchObject({ type: 'urn:waggle:problem:idempotency_key_reused' })
    }
    expect(await countTasks()).toBe(before)
  })

  test('rejects the whole batch when it is invalid', async () => {
    const { status } = await post(
      '/v1/tasks/batch',
      { tasks: [{ name: 'reverse', ...REVERSE }] },
      as('one', 'a b'),
    )
    expect(status).toBe(400)
  })

  test('matches a replay of the same task, whatever the case of the id in the path', async () => {
    const { body: task } = await post('/v1/tasks/reverse', REVERSE, keys.headers('one'))
    const lower = await post(`/v1/tasks/${task.id}/replay`, {}, as('one', 'k-case'))
    const upper = await post(`/v1/tasks/${task.id.toUpperCase()}/replay`, {}, as('one', 'k-case'))
    expect(upper.body.id).toBe(lower.body.id)
  })

  test('belongs to one caller and one operation', async () => {
    const ids = [
      (await post('/v1/tasks/reverse', REVERSE, as('one', 'k-3'))).body.id,
      (await post('/v1/tasks/sentiment', REVERSE, as('one', 'k-3'))).body.id,
      (await post('/v1/tasks/reverse', REVERSE, as('other', 'k-3'))).body.id,
    ]
    expect(new Set(ids).size).toBe(3)
  })

  test('can be used again with a corrected body after the first body was rejected', async () => {
    expect((await post('/v1/tasks/reverse', { input: {} }, as('one', 'k-4'))).status).toBe(422)
    expect((await post('/v1/tasks/reverse', REVERSE, as('one', 'k-4'))).status).toBe(202)
  })

  test.each([
    ['may be quoted', '"k 5"', 202],
    ['may have 255 characters', 'k'.repeat(255), 202],
    ['may not be empty', '', 400],
    ['may not have 256 characters', 'k'.repeat(256), 400],
    ['may not contain a space without quotes', 'k 5', 400],
    ['may not lack its closing quote', '"k', 400],
  ])('%s', async (_what, key, status) => {
    expect((await post('/v1/tasks/reverse', REVERSE, as('one', key))).status).toBe(status)
  })

  test('is the same with and without quotes', async () => {
    const bare = await post('/v1/tasks/reverse', REVERSE, as('one', 'k-6'))
    const quoted = await post('/v1/tasks/reverse', REVERSE, as('one', '"k-6"'))
    expect(quoted.body.id).toBe(bare.body.id)
  })
})

describe('concurrent requests', () => {
  test('fifty requests with one key create one task', async () => {
    const before = await countTasks()
    const responses = await Promise.all(
      Array.from({ length: 50 }, () => post('/v1/tasks/reverse', REVERSE, as('one', 'race'))),
    )
    expect(await countTasks()).toBe(before + 1)
    const accepted = responses.filter(({ status }) => status === 202)
    expect(new Set(accepted.map(({ body }) => body.id)).size).toBe(1)
    expect(accepted.filter(({ headers }) => headers.get('Idempotent-Replayed') === null)).toHaveLength(1)
    // The other requests came during the write (409) or after it (202).
    expect(responses.every(({ status }) => status === 202 || status === 409)).toBe(true)
  })

  test('fifty submissions with one key through two API processes create one task', async (context) => {
    if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
    const connections = await openConnections(
      { databaseUrl: system.database.url, redisUrl: system.redis.url },
      system.events,
    )
    const { service } = createApiDependencies(connections, system.registry, system.events, {
      bodyLimitBytes: 1_024,
      workerMissingAfterMs: 1_000,
      addressOf: () => undefined,
    })
    const before = await countTasks()
    const idempotency = { key: newId(), fingerprint: newId() }
    const outcomes = await Promise.allSettled(
      Array.from({ length: 50 }, (_, index) =>
        (index % 2 ? service : system.service).submit('reverse', { text: 'ab' }, { idempotency }),
      ),
    )
    await service.whenEnqueued()
    await connections.close()
    expect(await countTasks()).toBe(before + 1)
    const accepted = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    // Each process accepts at least one. The others are rejected because the first is still being written.
    expect(accepted.length).toBeGreaterThanOrEqual(2)
    expect(new Set(accepted.map(({ id }) => id)).size).toBe(1)
    expect(accepted.filter(({ isReplayed }) => !isReplayed)).toHaveLength(1)
  })

  test('one of several identical batches creates the tasks; the others get its response or 409', async () => {
    const batch = { tasks: Array.from({ length: 500 }, () => ({ name: 'reverse', ...REVERSE })) }
    const before = await countTasks()
    const responses = await Promise.all(
      Array.from({ length: 6 }, () => post('/v1/tasks/batch', batch, as('one', 'batch-race'))),
    )
    expect(await countTasks()).toBe(before + 500)
    for (const { status, body } of responses) {
      expect(status === 409 || (status === 202 && body.accepted === 500)).toBe(true)
    }
  })

  test('tasks that were committed together are enqueued together', async () => {
    const enqueued: number[] = []
    const { queue } = system.connections
    const { enqueueMany } = queue
    queue.enqueueMany = (name, delivery) => {
      enqueued.push(delivery.references.length)
      return enqueueMany(name, delivery)
    }
    const batch = { tasks: Array.from({ length: 200 }, () => ({ name: 'reverse', ...REVERSE })) }
    await post('/v1/tasks/batch', batch, as('one', 'enqueued-together'))
    queue.enqueueMany = enqueueMany
    expect(enqueued.length).toBeLessThanOrEqual(4)
    expect(enqueued.reduce((sum, count) => sum + count, 0)).toBe(200)
  })

  test('a repeated request gets 409 during the write of the first, and its response afterwards', async (context) => {
    if (!system.database.isServer) return context.skip('needs a second connection, which PGlite has not')
    const blocker = new pg.Client({ connectionString: system.database.url })
    await blocker.connect()
    await blocker.query('begin; lock table tasks in exclusive mode')
    const first = post('/v1/tasks/reverse', REVERSE, as('one', 'slow'))
    const second = await until(
      () => post('/v1/tasks/reverse', REVERSE, as('one', 'slow')),
      ({ status }) => status === 409,
    )
    expect(second.body).toMatchObject({ type: 'urn:waggle:problem:idempotency_key_in_flight' })
    expect(second.headers.get('Retry-After')).toBe('1')
    const other = await post('/v1/tasks/reverse', { input: { text: 'other' } }, as('one', 'slow'))
    expect(other.status).toBe(422)
    await blocker.query('rollback')
    await blocker.end()
    const { body } = await first
    const third = await post('/v1/tasks/reverse', REVERSE, as('one', 'slow'))
    expect(third.body.id).toBe(body.id)
  })
})
