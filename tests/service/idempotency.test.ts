// The same request sent again makes nothing new: Idempotency-Key.
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApiDependencies } from '../../src/api/dependencies.ts'
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

interface Answer {
  status: number
  headers: Headers
  body: { id: string; type?: string; accepted?: number; items?: { id: string }[]; task_id?: string }
}

function post(path: string, body: unknown, headers: Record<string, string>): Promise<Answer> {
  return system.request('POST', path, body, headers)
}

async function countTasks(): Promise<number> {
  return Object.values(await system.countByStatus()).reduce((sum, count) => sum + count, 0)
}

describe('the same key and body', () => {
  test('is answered as the first time, and makes one task that runs once', async () => {
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
    // The first answer, not the state of today.
    expect(again.body).toEqual(first.body)
  })

  test.each([
    ['/notify', { email: 'ada@example.com' }],
    ['/submit_task', { form_type: 'reverse', text: 'ab' }],
  ])('holds for %s as well', async (path, body) => {
    const first = await post(path, body, as('one', 'classic'))
    const again = await post(path, body, as('one', 'classic'))
    expect(again.headers.get('Idempotent-Replayed')).toBe('true')
    expect(again.body.task_id).toBe(first.body.task_id)
  })

  test('holds for a replay', async () => {
    const { body: task } = await post('/v1/tasks/reverse', REVERSE, keys.headers('one'))
    const first = await post(`/v1/tasks/${task.id}/replay`, {}, as('one', 'replay'))
    const again = await post(`/v1/tasks/${task.id}/replay`, {}, as('one', 'replay'))
    expect(again.body.id).toBe(first.body.id)
    expect(first.body.id).not.toBe(task.id)
  })

  test('holds for every task of a batch', async () => {
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

  test('of a batch is said to be a repetition, also where a part of it was refused', async () => {
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
  ])('is the same with %s', async (_what, text) => {
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

describe('what a key is valid for', () => {
  test('the same key with another body is refused, and makes nothing', async () => {
    await post('/v1/tasks/reverse', REVERSE, as('one', 'k-2'))
    const before = await countTasks()
    const other = await post('/v1/tasks/reverse', { input: { text: 'other' } }, as('one', 'k-2'))
    expect(other.status).toBe(422)
    expect(other.body).toMatchObject({ type: 'urn:waggle:problem:idempotency_key_reused' })
    expect(await countTasks()).toBe(before)
  })

  test('the same key with another batch is refused as a whole, whatever the two have in common', async () => {
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

  test('a key that is none is refused with the whole batch', async () => {
    const { status } = await post(
      '/v1/tasks/batch',
      { tasks: [{ name: 'reverse', ...REVERSE }] },
      as('one', 'a b'),
    )
    expect(status).toBe(400)
  })

  test('a replay is the same operation however its id is written', async () => {
    const { body: task } = await post('/v1/tasks/reverse', REVERSE, keys.headers('one'))
    const lower = await post(`/v1/tasks/${task.id}/replay`, {}, as('one', 'k-case'))
    const upper = await post(`/v1/tasks/${task.id.toUpperCase()}/replay`, {}, as('one', 'k-case'))
    expect(upper.body.id).toBe(lower.body.id)
  })

  test('another operation and another caller may use the same key for something else', async () => {
    const ids = [
      (await post('/v1/tasks/reverse', REVERSE, as('one', 'k-3'))).body.id,
      (await post('/v1/tasks/sentiment', REVERSE, as('one', 'k-3'))).body.id,
      (await post('/v1/tasks/reverse', REVERSE, as('other', 'k-3'))).body.id,
    ]
    expect(new Set(ids).size).toBe(3)
  })

  test('a refused body is not remembered: the corrected one is accepted under the same key', async () => {
    expect((await post('/v1/tasks/reverse', { input: {} }, as('one', 'k-4'))).status).toBe(422)
    expect((await post('/v1/tasks/reverse', REVERSE, as('one', 'k-4'))).status).toBe(202)
  })

  test.each([
    ['a quoted key', '"k 5"', 202],
    ['255 characters', 'k'.repeat(255), 202],
    ['an empty one', '', 400],
    ['256 characters', 'k'.repeat(256), 400],
    ['a space without quotes', 'k 5', 400],
    ['an unfinished quote', '"k', 400],
  ])('%s', async (_what, key, status) => {
    expect((await post('/v1/tasks/reverse', REVERSE, as('one', key))).status).toBe(status)
  })

  test('a key is the same with and without quotes', async () => {
    const bare = await post('/v1/tasks/reverse', REVERSE, as('one', 'k-6'))
    const quoted = await post('/v1/tasks/reverse', REVERSE, as('one', '"k-6"'))
    expect(quoted.body.id).toBe(bare.body.id)
  })
})

describe('at the same moment', () => {
  test('fifty requests with one key make one task', async () => {
    const before = await countTasks()
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => post('/v1/tasks/reverse', REVERSE, as('one', 'race'))),
    )
    expect(await countTasks()).toBe(before + 1)
    const accepted = answers.filter(({ status }) => status === 202)
    expect(new Set(accepted.map(({ body }) => body.id)).size).toBe(1)
    expect(accepted.filter(({ headers }) => headers.get('Idempotent-Replayed') === null)).toHaveLength(1)
    // The others came while it was being written, or after.
    expect(answers.every(({ status }) => status === 202 || status === 409)).toBe(true)
  })

  test('fifty submissions with one key to two processes of one database make one task', async (context) => {
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
    const idempotency = { key: 'of-two', fingerprint: 'same' }
    const outcomes = await Promise.allSettled(
      Array.from({ length: 50 }, (_, index) =>
        (index % 2 ? service : system.service).submit('reverse', { text: 'ab' }, { idempotency }),
      ),
    )
    await service.settled()
    await connections.close()
    expect(await countTasks()).toBe(before + 1)
    const accepted = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    // One from each process; the rest were told that the first is under way.
    expect(accepted.length).toBeGreaterThanOrEqual(2)
    expect(new Set(accepted.map(({ id }) => id)).size).toBe(1)
    expect(accepted.filter(({ isReplayed }) => !isReplayed)).toHaveLength(1)
  })

  test('of identical batches one makes the tasks, and the others get its answer or are told to wait', async () => {
    const batch = { tasks: Array.from({ length: 500 }, () => ({ name: 'reverse', ...REVERSE })) }
    const before = await countTasks()
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => post('/v1/tasks/batch', batch, as('one', 'batch-race'))),
    )
    expect(await countTasks()).toBe(before + 500)
    for (const { status, body } of answers) {
      expect(status === 409 || (status === 202 && body.accepted === 500)).toBe(true)
    }
  })

  test('what was committed together is rung together', async () => {
    const delivered: number[] = []
    const { queue } = system.connections
    const { enqueueMany } = queue
    queue.enqueueMany = (name, bells) => {
      delivered.push(bells.length)
      return enqueueMany(name, bells)
    }
    const batch = { tasks: Array.from({ length: 200 }, () => ({ name: 'reverse', ...REVERSE })) }
    await post('/v1/tasks/batch', batch, as('one', 'rung-together'))
    queue.enqueueMany = enqueueMany
    expect(delivered.length).toBeLessThanOrEqual(4)
    expect(delivered.reduce((sum, count) => sum + count, 0)).toBe(200)
  })

  test('while the first is being written the second is told to try again, and then gets its answer', async (context) => {
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
