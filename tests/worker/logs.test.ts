// Task logs: their limits, reading them during and after an attempt, and failures to store them.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { AppError } from '../../src/base/errors.ts'
import { createClient, type TaskLogs } from '../../src/client/client.ts'
import { defineTask, type TaskContext } from '../../src/definitions/define.ts'
import { sql } from '../../src/store/drizzle.ts'
import type { AttemptLines } from '../../src/store/log-store.ts'
import { createEvents } from '../../src/telemetry/events.ts'
import { createAttemptLog } from '../../src/worker/attempts/attempt-log.ts'
import { createRunningTasks } from '../../src/worker/attempts/running-tasks.ts'
import { startTaskLogs } from '../../src/worker/attempts/task-logs.ts'
import { createTestKeys } from '../support/api-keys.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createTestDefinitions } from '../support/test-definitions.ts'
import { spawnWorker } from '../support/worker-process.ts'

/** The functions that the task "scripted" runs, by name. */
const scripts = new Map<string, (context: TaskContext) => Promise<void> | void>()
const scripted = defineTask({
  name: 'scripted',
  title: 'Runs a function of the test',
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

test('the log is complete and in order as soon as the task is seen as finished', async () => {
  const ids = await Promise.all(
    Array.from({ length: 20 }, async (_, task) => {
      const lines = Array.from({ length: 30 }, (_, line) => `${task}.${line}`)
      const { id } = await system.submit('log_lines', { lines, ending: 'end' })
      const client = createClient({ baseUrl: system.url })
      await client.waitFor(id)
      // Read the log only once, right after waitFor has resolved.
      expect((await client.logs(id)).data.map(({ message }) => message)).toEqual(lines)
      return id
    }),
  )
  const [first = ''] = ids
  const { data } = await logsOf(first)
  expect(data[0]).toMatchObject({ attempt: 1, message: '0.0', fields: { attempt: 1 } })
  expect(Date.now() - Date.parse(data[0]?.at ?? '')).toBeLessThan(60_000)
})

test('lines can be read page by page while the task runs', async () => {
  const { id } = await system.submit('log_lines', { lines: ['one', 'two', 'three'], ending: 'hold' })
  const { data } = await until(
    () => logsOf(id),
    ({ data }) => data.length === 3,
  )
  expect((await system.task(id)).status).toBe('STARTED')
  const page = await logsOf(id, '?limit=2')
  expect(page).toEqual({ data: data.slice(0, 2), next_after: data[1]?.id })
  const rest = await logsOf(id, `?after=${page.next_after}`)
  expect(rest).toEqual({ data: data.slice(2), next_after: data[2]?.id })
  // A client that follows the log continues from next_after.
  expect(await logsOf(id, `?after=${rest.next_after}`)).toEqual({ data: [], next_after: rest.next_after })
  await system.request('POST', `/v1/tasks/${id}/cancel`)
  await system.taskWhenFinal(id)
})

test('the lines of all attempts are kept, also those from before a manual retry', async () => {
  const { id } = await system.submit('log_lines', { lines: ['a', 'b'], ending: 'fail' }, { max_retries: 1 })
  await system.taskWhenFinal(id)
  await system.request('POST', `/v1/tasks/${id}/retry`)
  await system.taskWhen(id, ({ attempt, is_final }) => attempt === 4 && is_final)
  const { data } = await logsOf(id)
  expect(data.map(({ attempt, message }) => `${attempt}${message}`)).toEqual(
    [1, 2, 3, 4].flatMap((attempt) => [`${attempt}a`, `${attempt}b`]),
  )
})

test('a task that logs nothing has an empty log', async () => {
  const { id } = await system.submit('reverse', { text: 'abc' })
  await system.taskWhenFinal(id)
  expect(await logsOf(id)).toEqual({ data: [], next_after: 0 })
})

test('lines that were written before a worker was killed are kept', async (context) => {
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  const ownSystem = await startSystem({ worker: false, definitions: createTestDefinitions() })
  const worker = await spawnWorker(ownSystem)
  const options = { max_retries: 0 }
  const { id } = await ownSystem.submit(
    'log_lines',
    { lines: ['before', 'the kill'], ending: 'hold' },
    options,
  )
  const read = async () => {
    const { body } = await ownSystem.request('GET', `/v1/tasks/${id}/logs`)
    return (body as TaskLogs).data.map(({ message }) => message)
  }
  await until(read, (lines) => lines.length === 2)
  await worker.kill()
  // This worker finds the task abandoned.
  ownSystem.startWorker()
  expect(await ownSystem.taskWhenFinal(id)).toMatchObject({ error: { name: 'WorkerLost' } })
  expect(await read()).toEqual(['before', 'the kill'])
  await ownSystem.stop()
})

test('a shutdown writes the waiting lines before the task is released', async () => {
  const ownSystem = await startSystem({ worker: false, definitions: createTestDefinitions() })
  // The interval is longer than the test, so that only the shutdown writes lines.
  const worker = ownSystem.startWorker({ logMs: 600_000 })
  const { id } = await ownSystem.submit('log_lines', { lines: ['still there'], ending: 'hold' })
  await ownSystem.taskWhen(id, ({ status }) => status === 'STARTED')
  await worker.stop(0)
  expect(await ownSystem.task(id)).toMatchObject({ status: 'PENDING', attempt: 1 })
  const { body } = await ownSystem.request('GET', `/v1/tasks/${id}/logs`)
  expect((body as TaskLogs).data).toMatchObject([{ message: 'still there' }])
  await ownSystem.stop()
})

test('lines of an attempt that has ended are not stored', async () => {
  const { connections } = system
  const { id } = await system.submit('log_lines', { lines: ['in time'], ending: 'end' })
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

describe('the limits of an attempt', () => {
  test('are 1,000 lines, followed by a line that states the limit', async () => {
    const { id, status } = await run('many', ({ log }) => {
      for (let line = 1; line <= 5_000; line++) log(`line ${line}`)
    })
    expect(status).toBe('SUCCESS')
    const first = await logsOf(id)
    const { data: rest } = await logsOf(id, `?after=${first.next_after}`)
    const messages = [...first.data, ...rest].map(({ message }) => message)
    expect(messages.slice(0, -1)).toEqual(Array.from({ length: 1_000 }, (_, line) => `line ${line + 1}`))
    expect(messages.at(-1)).toMatch(/^Further lines are dropped: .* 1000 lines and 256 KiB$/)
  })

  test('are 256 KiB including fields', () => {
    const log = createAttemptLog()
    for (let line = 0; line < 500; line++) log.add('ü'.repeat(1_000), { text: 'x'.repeat(1_000) })
    const bytes = log.waiting.map(({ message, fields }) => Buffer.byteLength(message + (fields ?? '')))
    expect(bytes.reduce((sum, size) => sum + size)).toBeLessThan(257 * 1_024)
    expect(log.waiting.length).toBeGreaterThan(80)
    expect(log.waiting.at(-1)?.message).toMatch(/^Further lines are dropped/)
  })

  test('include the length of a message; characters that Postgres cannot store are replaced', async () => {
    const { id } = await run('long', ({ log }) => {
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

describe('fields that cannot be stored', () => {
  const circular: Record<string, unknown> = { name: 'itself' }
  circular.self = circular
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
    ['a circular value', circular, { name: 'itself', self: expect.stringMatching(/^not JSON: .*circular/) }],
    ['a function', { call: () => 1, also: undefined }, {}],
    ['a string', 'a text' as never, { 0: 'a', 1: ' ', 2: 't', 3: 'e', 4: 'x', 5: 't' }],
    ['a list', [1, 2], { 0: 1, 1: 2 }],
    ['a getter that throws', thrower, { good: 1, bad: 'not JSON: not to be read' }],
    ['a proxy that throws on every access', everythingThrows, {}],
    ['a value nested too deep', { deep, other: 1 }, { deep: expect.any(String), other: 1 }],
    [
      'a text that is too large',
      { long: 'x'.repeat(1e6), other: 1 },
      { long: 'left out: too large', other: 1 },
    ],
    ['a toJSON that returns a string', { toJSON: () => 'x', other: 1 }, { toJSON: 'not JSON', other: 1 }],
    ['null', null, null],
  ])('are replaced or omitted: %s', async (kind, fields, kept) => {
    const { id, status } = await run(kind, ({ log }) => log('said', fields as never))
    expect(status).toBe('SUCCESS')
    expect((await logsOf(id)).data).toMatchObject([{ message: 'said', fields: kept }])
  })

  test('are cut after 8 KiB', () => {
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

describe('while Postgres is unavailable', () => {
  function startLogs(insertMany: (batch: AttemptLines[]) => Promise<undefined[]>) {
    const running = createRunningTasks().begin({ id: 'a', attempt: 1 } as never)
    if (!running) throw new Error('The attempt must begin')
    const events = createEvents()
    const unexpectedErrors: unknown[] = []
    events.on('error.unexpected', (error) => unexpectedErrors.push(error))
    const logs = startTaskLogs({ workerId: 'w', store: { insertMany }, events, intervalMs: 5 })
    return { running, logs, unexpectedErrors }
  }

  test('lines wait within their limits and are written in order when it is available again', async () => {
    let isUnavailable = true
    const written: string[] = []
    const { running, logs } = startLogs(async (batch) => {
      if (isUnavailable) throw new AppError('unavailable', 'unavailable')
      for (const { lines } of batch) written.push(...lines.map(({ message }) => message))
      return []
    })
    for (let line = 0; line < 2_000; line++) {
      logs.add(running, `line ${line}`)
      if (line % 100 === 0) await new Promise(setImmediate)
    }
    expect(running.log?.waiting.length).toBeLessThanOrEqual(1_001)
    isUnavailable = false
    await logs.finish(running)
    expect(written.length).toBe(1_001)
    expect(written.slice(0, 3)).toEqual(['line 0', 'line 1', 'line 2'])
    expect(new Set(written).size).toBe(1_001)
    await logs.stop()
  })

  test('the end of a task does not wait forever for a log that cannot be written', async () => {
    const { running, logs } = startLogs(() => new Promise(() => {}))
    logs.add(running, 'never written')
    await logs.finish(running)
    expect(running.log?.add('after the end')).toBeUndefined()
    expect(running.log?.waiting).toEqual([])
    logs.forget(running)
  })

  test('lines that can never be written are dropped and reported once', async () => {
    const { running, logs, unexpectedErrors } = startLogs(() => Promise.reject(new Error('no such table')))
    logs.add(running, 'dropped')
    await logs.finish(running)
    expect(running.log?.waiting).toEqual([])
    expect(unexpectedErrors).toHaveLength(1)
    await logs.stop()
  })
})

test('a log that cannot be written does not fail its task', async () => {
  const ownSystem = await startSystem({ definitions: createTestDefinitions() })
  await ownSystem.connections.database.query(sql`alter table task_logs rename to elsewhere`)
  const { id } = await ownSystem.submit('log_lines', { lines: ['lost'], ending: 'end' })
  expect(await ownSystem.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS', attempt: 1 })
  expect(ownSystem.emitted('error.unexpected')).toMatchObject([{ where: 'writing task logs' }])
  await ownSystem.stop()
})

describe('a request for logs', () => {
  test.each([
    'after=-1',
    'after=x',
    'after=1.5',
    'after=9007199254740993',
    'limit=0',
    'limit=1001',
    'x=1',
    'after=',
  ])('with the invalid query ?%s gets 400', async (query) => {
    const { id } = await system.submit('reverse', { text: 'abc' })
    const { status, body } = await system.request('GET', `/v1/tasks/${id}/logs?${query}`)
    expect([status, body]).toMatchObject([400, { type: 'urn:waggle:problem:invalid_query' }])
  })

  test.each(['01890000-0000-7000-8000-000000000000', 'nonsense', "'; drop table task_logs; --", '%00'])(
    'for an unknown task (%s) gets 404',
    async (id) => {
      expect((await system.request('GET', `/v1/tasks/${encodeURIComponent(id)}/logs`)).status).toBe(404)
    },
  )

  test('needs a key with the scope "read" or the poll token of the same task', async () => {
    const keys = createTestKeys({ submitter: ['submit'], reader: ['read'] })
    const ownSystem = await startSystem({ apiKeys: keys.apiKeys, definitions: createTestDefinitions() })
    const submitAsSubmitter = async () => {
      const input = { lines: ['hello'], ending: 'end' }
      const { body } = await ownSystem.request(
        'POST',
        '/v1/tasks/log_lines',
        { input },
        keys.headers('submitter'),
      )
      return body as { id: string; poll_token: string }
    }
    const [own, other] = [await submitAsSubmitter(), await submitAsSubmitter()]
    const asReader = (id: string) =>
      ownSystem.request('GET', `/v1/tasks/${id}`, undefined, keys.headers('reader'))
    await until(
      () => asReader(own.id),
      ({ body }) => (body as { is_final: boolean }).is_final,
    )
    const readLogs = (query: string, headers = {}) =>
      ownSystem.request('GET', `/v1/tasks/${own.id}/logs${query}`, undefined, headers)
    expect((await readLogs('')).status).toBe(401)
    expect((await readLogs('', keys.headers('submitter'))).status).toBe(403)
    expect((await readLogs(`?poll_token=${other.poll_token}`)).status).toBe(401)
    expect((await readLogs('', keys.headers('reader'))).body).toMatchObject({ data: [{ message: 'hello' }] })
    const client = createClient({ baseUrl: ownSystem.url })
    const { data } = await client.logs(own.id, { pollToken: own.poll_token, limit: 10 })
    expect(data.map(({ message }) => message)).toEqual(['hello'])
    await ownSystem.stop()
  })
})

test('the sample tasks log their steps', async () => {
  const [divide, email] = [
    await system.submit('divide', { x: 1, y: 4 }),
    await system.submit('email', { recipient: 'ada@example.com', subject: 'Hi', body: 'Hello' }),
  ]
  await Promise.all([divide, email].map(({ id }) => system.taskWhenFinal(id)))
  expect((await messagesOf(divide.id)).slice(0, 2)).toEqual(['Dividing 1 by 4', 'Step 1 of 10 is done'])
  expect(await messagesOf(email.id)).toEqual([
    'Sending the e-mail to the mail server',
    'Accepted by the mail server',
  ])
})
