// What a task logs: kept within bounds, seen while it runs, whole at its end, and never in its way.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { AppError } from '../../src/base/errors.ts'
import { createClient, type TaskLogs } from '../../src/client/client.ts'
import { defineTask, type TaskContext } from '../../src/definitions/define.ts'
import { sql } from '../../src/store/drizzle.ts'
import type { AttemptLines } from '../../src/store/log-store.ts'
import { createEvents } from '../../src/telemetry/events.ts'
import { createAttemptLog } from '../../src/worker/attempt-log.ts'
import { createRunningTasks } from '../../src/worker/running-tasks.ts'
import { startTaskLogs } from '../../src/worker/task-logs.ts'
import { createTestKeys } from '../support/api-keys.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createTestDefinitions } from '../support/test-definitions.ts'
import { spawnWorker } from '../support/worker-process.ts'

/** Runs whatever the test wants to be run. */
const scripts = new Map<string, (context: TaskContext) => Promise<void> | void>()
const scripted = defineTask({
  name: 'scripted',
  title: 'Does what the test says',
  description: 'for tests',
  input: z.object({ script: z.string() }),
  output: z.unknown(),
  example: { script: 'none' },
  backoff: { baseMs: 10, capMs: 10 },
  async run({ script }, context) {
    await scripts.get(script)?.(context)
    return null
  },
})

let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ definitions: [scripted, ...createTestDefinitions()] })
})
afterAll(() => system.stop())

async function run(script: string, body: (context: TaskContext) => Promise<void> | void, options?: object) {
  scripts.set(script, body)
  return system.taskWhenFinal((await system.submit('scripted', { script }, options)).id)
}

async function logsOf(id: string, query = '?limit=1000'): Promise<TaskLogs> {
  const { status, body } = await system.request('GET', `/v1/tasks/${id}/logs${query}`)
  expect(status).toBe(200)
  return body
}

const messagesOf = async (id: string) => (await logsOf(id)).data.map(({ message }) => message)

test('whoever sees the end finds the log whole and in order', async () => {
  const ids = await Promise.all(
    Array.from({ length: 20 }, async (_, task) => {
      const lines = Array.from({ length: 30 }, (_, line) => `${task}.${line}`)
      const { id } = await system.submit('say', { lines, ending: 'end' })
      const client = createClient({ baseUrl: system.url })
      await client.waitFor(id)
      // Asked for once, right after the end was seen.
      expect((await client.logs(id)).data.map(({ message }) => message)).toEqual(lines)
      return id
    }),
  )
  const [first = ''] = ids
  const { data } = await logsOf(first)
  expect(data[0]).toMatchObject({ attempt: 1, message: '0.0', fields: { attempt: 1 } })
  expect(Date.now() - Date.parse(data[0]?.at ?? '')).toBeLessThan(60_000)
})

test('lines are seen while the task runs, page by page and from where one was', async () => {
  const { id } = await system.submit('say', { lines: ['one', 'two', 'three'], ending: 'hold' })
  const { data } = await until(
    () => logsOf(id),
    ({ data }) => data.length === 3,
  )
  expect((await system.task(id)).status).toBe('STARTED')
  const page = await logsOf(id, '?limit=2')
  expect(page).toEqual({ data: data.slice(0, 2), next_after: data[1]?.id })
  const rest = await logsOf(id, `?after=${page.next_after}`)
  expect(rest).toEqual({ data: data.slice(2), next_after: data[2]?.id })
  // Who follows goes on from there.
  expect(await logsOf(id, `?after=${rest.next_after}`)).toEqual({ data: [], next_after: rest.next_after })
  await system.request('POST', `/v1/tasks/${id}/cancel`)
  await system.taskWhenFinal(id)
})

test('every attempt keeps its lines, also those before a retry by hand', async () => {
  const { id } = await system.submit('say', { lines: ['a', 'b'], ending: 'fail' }, { max_retries: 1 })
  await system.taskWhenFinal(id)
  await system.request('POST', `/v1/tasks/${id}/retry`)
  await system.taskWhen(id, ({ attempt, is_final }) => attempt === 4 && is_final)
  const { data } = await logsOf(id)
  expect(data.map(({ attempt, message }) => `${attempt}${message}`)).toEqual(
    [1, 2, 3, 4].flatMap((attempt) => [`${attempt}a`, `${attempt}b`]),
  )
})

test('a task that never logs has no log, and leaves nothing behind', async () => {
  const { id } = await system.submit('reverse', { text: 'abc' })
  await system.taskWhenFinal(id)
  expect(await logsOf(id)).toEqual({ data: [], next_after: 0 })
})

test('a worker that is killed leaves what it had told', async (context) => {
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  const apart = await startSystem({ worker: false, definitions: createTestDefinitions() })
  const worker = await spawnWorker(apart)
  const options = { max_retries: 0 }
  const { id } = await apart.submit('say', { lines: ['before', 'the kill'], ending: 'hold' }, options)
  const read = async () => {
    const { body } = await apart.request('GET', `/v1/tasks/${id}/logs`)
    return (body as TaskLogs).data.map(({ message }) => message)
  }
  await until(read, (lines) => lines.length === 2)
  await worker.kill()
  // Another one finds it lost.
  apart.startWorker()
  expect(await apart.taskWhenFinal(id)).toMatchObject({ error: { name: 'WorkerLost' } })
  expect(await read()).toEqual(['before', 'the kill'])
  await apart.stop()
})

test('a shutdown writes what the task has said before the task is given away', async () => {
  const apart = await startSystem({ worker: false, definitions: createTestDefinitions() })
  // Writes by itself only after the test.
  const worker = apart.startWorker({ logMs: 600_000 })
  const { id } = await apart.submit('say', { lines: ['still there'], ending: 'hold' })
  await apart.taskWhen(id, ({ status }) => status === 'STARTED')
  await worker.stop(0)
  expect(await apart.task(id)).toMatchObject({ status: 'PENDING', attempt: 1 })
  const { body } = await apart.request('GET', `/v1/tasks/${id}/logs`)
  expect((body as TaskLogs).data).toMatchObject([{ message: 'still there' }])
  await apart.stop()
})

test('what a task says after it was given away is not kept', async () => {
  const { connections } = system
  const { id } = await system.submit('say', { lines: ['mine'], ending: 'end' })
  await system.taskWhenFinal(id)
  const [line] = (await logsOf(id)).data
  const late: AttemptLines = {
    id,
    attempt: 1,
    workerId: (await system.task(id)).worker_id ?? '',
    lines: [{ at: new Date(), message: 'late', fields: null }],
  }
  await connections.logStore.insertMany([late])
  expect((await logsOf(id)).data).toEqual([line])
})

describe('bounds of an attempt', () => {
  test('1,000 lines, and one that says so', async () => {
    const { id, status } = await run('many', ({ log }) => {
      for (let line = 1; line <= 5_000; line++) log(`line ${line}`)
    })
    expect(status).toBe('SUCCESS')
    const first = await logsOf(id)
    const { data: rest } = await logsOf(id, `?after=${first.next_after}`)
    const messages = [...first.data, ...rest].map(({ message }) => message)
    expect(messages.slice(0, -1)).toEqual(Array.from({ length: 1_000 }, (_, line) => `line ${line + 1}`))
    expect(messages.at(-1)).toMatch(/^Nothing is kept beyond this: .* 1000 lines and 256 KiB$/)
  })

  test('256 KiB, fields included', () => {
    const log = createAttemptLog()
    for (let line = 0; line < 500; line++) log.add('ü'.repeat(1_000), { text: 'x'.repeat(1_000) })
    const bytes = log.waiting.map(({ message, fields }) => Buffer.byteLength(message + (fields ?? '')))
    expect(bytes.reduce((sum, size) => sum + size)).toBeLessThan(257 * 1_024)
    expect(log.waiting.length).toBeGreaterThan(80)
    expect(log.waiting.at(-1)?.message).toMatch(/^Nothing is kept beyond this/)
  })

  test('a novel is cut, and what Postgres cannot keep is replaced', async () => {
    const { id } = await run('novel', ({ log }) => {
      log('😀'.repeat(5_000))
      log('a\0b\ud800c', { 'na\0me': 'a\0b\ud800c' })
      log(undefined as never)
      log({ toString: () => 'an object' } as never)
      log(Object.create(null) as never)
    })
    const { data } = await logsOf(id)
    expect(data[0]?.message).toBe(`${'😀'.repeat(2_000)}…`)
    expect(data[1]).toMatchObject({ message: 'a\ufffdb\ufffdc', fields: { 'na\0me': 'a\0b\ud800c' } })
    expect(data.slice(2).map(({ message }) => message)).toEqual(['undefined', 'an object', 'unknown error'])
  })
})

describe('fields that cannot be kept', () => {
  const circle: Record<string, unknown> = { name: 'circle' }
  circle.self = circle
  let deep: unknown = 1
  for (let level = 0; level < 20_000; level++) deep = [deep]
  const thrower = {
    good: 1,
    get bad(): never {
      throw new Error('not to be read')
    },
  }
  const everythingThrows = new Proxy(
    {},
    {
      get: () => {
        throw new Error('no')
      },
      ownKeys: () => {
        throw new Error('no')
      },
    },
  )

  test.each<[what: string, fields: unknown, kept: unknown]>([
    ['a BigInt', { count: 2n ** 70n, other: 'kept' }, { count: '1180591620717411303424', other: 'kept' }],
    ['a circle', circle, { name: 'circle', self: expect.stringMatching(/^not JSON: .*circular/) }],
    ['a function', { call: () => 1, also: undefined }, {}],
    ['no object', 'a text' as never, { 0: 'a', 1: ' ', 2: 't', 3: 'e', 4: 'x', 5: 't' }],
    ['a list', [1, 2], { 0: 1, 1: 2 }],
    ['a getter that throws', thrower, { good: 1, bad: 'not JSON: not to be read' }],
    ['what throws at every touch', everythingThrows, {}],
    ['a depth beyond measure', { deep, other: 1 }, { deep: expect.any(String), other: 1 }],
    ['a text beyond measure', { long: 'x'.repeat(1e6), other: 1 }, { long: 'left out: too large', other: 1 }],
    ['a toJSON that lies', { toJSON: () => 'x', other: 1 }, { toJSON: 'not JSON', other: 1 }],
    ['null', null, null],
  ])('%s', async (what, fields, kept) => {
    const { id, status } = await run(what, ({ log }) => log('said', fields as never))
    expect(status).toBe('SUCCESS')
    expect((await logsOf(id)).data).toMatchObject([{ message: 'said', fields: kept }])
  })

  test('a thousand members are cut to what there is room for', () => {
    const log = createAttemptLog()
    const fields = Object.fromEntries(
      Array.from({ length: 1_000 }, (_, index) => [`m${index}`, 'x'.repeat(500)]),
    )
    log.add('said', fields)
    const text = log.waiting[0]?.fields ?? ''
    expect(text.length).toBeLessThan(8 * 1_024)
    expect(JSON.parse(text)).toMatchObject({ m0: fields.m0, '…': 'left out: more than 8 KiB' })
  })
})

describe('while Postgres is away', () => {
  function startLogs(insertMany: (batch: AttemptLines[]) => Promise<undefined[]>) {
    const running = createRunningTasks().begin({ id: 'a', attempt: 1 } as never)
    if (!running) throw new Error('it begins')
    const events = createEvents()
    const bugs: unknown[] = []
    events.on('error.unexpected', (bug) => bugs.push(bug))
    const logs = startTaskLogs({ workerId: 'w', store: { insertMany }, events, intervalMs: 5 })
    return { running, logs, bugs }
  }

  test('lines wait, within their bounds, and are written in order when it is back', async () => {
    let isAway = true
    const written: string[] = []
    const { running, logs } = startLogs(async (batch) => {
      if (isAway) throw new AppError('unavailable', 'away')
      for (const { lines } of batch) written.push(...lines.map(({ message }) => message))
      return []
    })
    for (let line = 0; line < 2_000; line++) {
      logs.add(running, `line ${line}`)
      if (line % 100 === 0) await new Promise(setImmediate)
    }
    expect(running.log?.waiting.length).toBeLessThanOrEqual(1_001)
    isAway = false
    await logs.finish(running)
    expect(written.length).toBe(1_001)
    expect(written.slice(0, 3)).toEqual(['line 0', 'line 1', 'line 2'])
    expect(new Set(written).size).toBe(1_001)
    await logs.stop()
  })

  test('the end of a task does not wait for a log that nobody takes', async () => {
    const { running, logs } = startLogs(() => new Promise(() => {}))
    logs.add(running, 'never written')
    await logs.finish(running)
    expect(running.log?.add('after the end')).toBeUndefined()
    expect(running.log?.waiting).toEqual([])
    logs.forget(running)
  })

  test('lines that cannot be written at all are dropped and reported, once', async () => {
    const { running, logs, bugs } = startLogs(() => Promise.reject(new Error('no such table')))
    logs.add(running, 'dropped')
    await logs.finish(running)
    expect(running.log?.waiting).toEqual([])
    expect(bugs).toHaveLength(1)
    await logs.stop()
  })
})

test('a log that cannot be written does not fail its task', async () => {
  const apart = await startSystem({ definitions: createTestDefinitions() })
  await apart.connections.database.query(sql`alter table task_logs rename to elsewhere`)
  const { id } = await apart.submit('say', { lines: ['lost'], ending: 'end' })
  expect(await apart.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS', attempt: 1 })
  expect(apart.announced('error.unexpected')).toMatchObject([{ where: 'writing task logs' }])
  await apart.stop()
})

describe('who asks', () => {
  test.each([
    'after=-1',
    'after=x',
    'after=1.5',
    'after=9007199254740993',
    'limit=0',
    'limit=1001',
    'x=1',
    'after=',
  ])('for ?%s is told what is wrong with it', async (query) => {
    const { id } = await system.submit('reverse', { text: 'abc' })
    const { status, body } = await system.request('GET', `/v1/tasks/${id}/logs?${query}`)
    expect([status, body]).toMatchObject([400, { type: 'urn:waggle:problem:invalid_query' }])
  })

  test.each(['01890000-0000-7000-8000-000000000000', 'nonsense', "'; drop table task_logs; --", '%00'])(
    'for the log of a task that is not there (%s) is told so',
    async (id) => {
      expect((await system.request('GET', `/v1/tasks/${encodeURIComponent(id)}/logs`)).status).toBe(404)
    },
  )

  test('needs a key that may read, or the token of that very task', async () => {
    const keys = createTestKeys({ submitter: ['submit'], reader: ['read'] })
    const apart = await startSystem({ apiKeys: keys.apiKeys, definitions: createTestDefinitions() })
    const say = async () => {
      const input = { lines: ['hello'], ending: 'end' }
      const { body } = await apart.request('POST', '/v1/tasks/say', { input }, keys.headers('submitter'))
      return body as { id: string; poll_token: string }
    }
    const [own, other] = [await say(), await say()]
    const asReader = (id: string) =>
      apart.request('GET', `/v1/tasks/${id}`, undefined, keys.headers('reader'))
    await until(
      () => asReader(own.id),
      ({ body }) => (body as { is_final: boolean }).is_final,
    )
    const ask = (query: string, headers = {}) =>
      apart.request('GET', `/v1/tasks/${own.id}/logs${query}`, undefined, headers)
    expect((await ask('')).status).toBe(401)
    expect((await ask('', keys.headers('submitter'))).status).toBe(403)
    expect((await ask(`?poll_token=${other.poll_token}`)).status).toBe(401)
    expect((await ask('', keys.headers('reader'))).body).toMatchObject({ data: [{ message: 'hello' }] })
    const client = createClient({ baseUrl: apart.url })
    const { data } = await client.logs(own.id, { pollToken: own.poll_token, limit: 10 })
    expect(data.map(({ message }) => message)).toEqual(['hello'])
    await apart.stop()
  })
})

test('the tasks of the project tell what they do', async () => {
  const [divide, email] = [
    await system.submit('divide', { x: 1, y: 4 }),
    await system.submit('email', { recipient: 'ada@example.com', subject: 'Hi', body: 'Hello' }),
  ]
  await Promise.all([divide, email].map(({ id }) => system.taskWhenFinal(id)))
  expect((await messagesOf(divide.id)).slice(0, 2)).toEqual(['Dividing 1 by 4', 'Step 1 of 10 is done'])
  expect(await messagesOf(email.id)).toEqual([
    'Handing the e-mail to the mail server',
    'The mail server has taken it',
  ])
})
