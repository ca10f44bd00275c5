// Handlers that ignore their abort: after a grace, the end of the attempt is written, and its slot counts as
// leaked until the handler returns.
import { createClient } from 'redis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import type { WorkerView } from '../../src/api/system/worker-routes.ts'
import { defineTask, type TaskContext } from '../../src/definitions/define.ts'
import { sql } from '../../src/store/drizzle.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createTestDefinitions } from '../support/test-definitions.ts'

const GRACE_MS = 300
const IGNORED = 'The handler has ignored its AbortSignal for 0.3 s and may still run'

/** The attempts that run now, and how to end their handlers. */
let attempts: { context: TaskContext; end: (result: unknown) => void }[]
const deaf = defineTask({
  name: 'deaf',
  title: 'Ignores its AbortSignal and ends when the test wants it',
  description: 'for tests',
  input: z.object({}),
  output: z.unknown(),
  example: {},
  run: (_, context) =>
    new Promise((resolve) => {
      attempts.push({ context, end: resolve })
    }),
})

let system: TestSystem
beforeEach(async () => {
  attempts = []
  system = await startSystem({
    worker: { concurrency: 3, abortGraceMs: GRACE_MS, heartbeatMs: 100 },
    definitions: [deaf, ...createTestDefinitions()],
  })
})
afterEach(() => system.stop())

const started = (id: string) => system.taskWhen(id, ({ status }) => status === 'STARTED')

async function worker(): Promise<WorkerView> {
  const { body } = await system.request('GET', '/v1/workers')
  return (body as { data: [WorkerView] }).data[0]
}

const leaked = (count: number) => until(worker, (view) => view.leaked === count)

const metric = async (name: string) => {
  const text = (await system.dependencies.metrics?.render()) ?? ''
  return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1])
}

test('after a timeout the attempt fails, its error says that the handler may still run, and its slot counts as leaked until the handler returns', async () => {
  const { id } = await system.submit('deaf', {}, { timeout_seconds: 0.1, max_retries: 0 })
  expect(await system.taskWhenFinal(id)).toMatchObject({
    status: 'FAILURE',
    error: { name: 'TimeoutError', message: `Timed out: an attempt may take 0.1 s. ${IGNORED}` },
    attempts: [{ attempt: 1 }],
  })
  // The slot counts as leaked before the end of the attempt is written, so one heartbeat may still count it.
  const view = await until(worker, ({ leaked, running }) => leaked === 1 && running === 0)
  expect(view).toMatchObject({ is_alive: true })
  expect(await metric('waggle_worker_slots_leaked')).toBe(1)
  expect(await metric('waggle_worker_slots_used')).toBe(1)
  expect(system.emitted('slot.leaked')).toMatchObject([
    { taskId: id, name: 'deaf', attempt: 1, reason: 'timeout', leaked: 1, capacity: 3 },
  ])

  attempts[0]?.end('late')
  await leaked(0)
  expect(await metric('waggle_worker_slots_leaked')).toBe(0)
  expect(await metric('waggle_worker_slots_used')).toBe(0)
})

test('a cancelled task ends as CANCELLED, and its error says that its handler may still run', async () => {
  const { id } = await system.submit('deaf', {})
  await started(id)
  await system.request('POST', `/v1/tasks/${id}/cancel`)
  expect(await system.taskWhenFinal(id)).toMatchObject({
    status: 'CANCELLED',
    failures: 0,
    error: { name: 'AbortIgnored', message: `Cancelled. ${IGNORED}` },
  })
})

test('the log and the result of a handler that was given up are kept with its attempt only, and its progress is dropped', async () => {
  const { id } = await system.submit('deaf', {})
  await started(id)
  await system.request('POST', `/v1/tasks/${id}/cancel`)
  await system.taskWhenFinal(id)
  await system.request('POST', `/v1/tasks/${id}/retry`)
  // The second attempt runs in another slot of the same worker, beside the first handler.
  await until(
    async () => attempts.length,
    (count) => count === 2,
  )
  const [first, second] = attempts
  first?.context.progress(0.7, 'late')
  first?.context.log('late')
  first?.end('late')
  await leaked(0)
  second?.context.progress(0.1, 'in time')
  second?.context.log('in time')
  second?.end('in time')
  expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS', result: 'in time', attempt: 2 })
  const { body } = await system.request('GET', `/v1/tasks/${id}/logs`)
  expect((body as { data: { message: string }[] }).data.map(({ message }) => message)).toEqual(['in time'])
  expect((await system.task(id)).attempts).toMatchObject([
    { attempt: 1, error: { name: 'AbortIgnored' }, refused: { result: 'late', log: [{ message: 'late' }] } },
  ])
  expect(system.emitted('task.refused')).toMatchObject([{ taskId: id, attempt: 1 }])
})

test('a handler that returns within the grace leaks nothing', async () => {
  system.startWorker({ abortGraceMs: 600_000, queues: ['patient'] })
  const { id } = await system.submit('deaf', {}, { queue: 'patient' })
  await started(id)
  await system.request('POST', `/v1/tasks/${id}/cancel`)
  await until(
    async () => attempts[0]?.context.signal.aborted,
    (isAborted) => isAborted === true,
  )
  attempts[0]?.end('accepted')
  expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS', result: 'accepted' })
  expect(system.emitted('slot.leaked')).toEqual([])
})

test('a lost attempt whose handler ignores its abort leaks its slot, and nothing is written until it returns', async () => {
  const { id } = await system.submit('deaf', {})
  await started(id)
  // Another worker has recovered the task, and its next attempt waits.
  await system.connections.database.query(
    sql`update tasks set status = 'RETRY', worker_id = null, enqueued_at = null, run_at = now() + interval '1 hour'
        where id = ${id}::uuid`,
  )
  await leaked(1)
  expect(await system.task(id)).toMatchObject({ status: 'RETRY', attempt: 1, error: null, attempts: [] })
  expect(system.emitted('task.finished')).toEqual([])
  attempts[0]?.end('late')
  await leaked(0)
  expect(await system.taskWhen(id, (task) => task.attempts.length > 0)).toMatchObject({
    status: 'RETRY',
    attempts: [{ attempt: 1, error: { name: 'Refused' }, refused: { result: 'late' } }],
  })
})

test('when half of the slots have leaked, the worker claims no more tasks and says why', async () => {
  const options = { concurrency: 2, abortGraceMs: 100, heartbeatMs: 100, queues: ['alone'] }
  const { id: workerId, failed } = system.startWorker(options)
  const { id } = await system.submit('deaf', {}, { queue: 'alone', timeout_seconds: 0.1, max_retries: 0 })
  await system.taskWhenFinal(id)
  const reason = '1 of 2 slots have leaked: their handlers ignore their AbortSignal'
  expect(await failed).toBe(reason)
  expect(system.emitted('worker.failed')).toEqual([{ workerId, reason, running: [] }])

  const next = await system.submit('reverse', { text: 'ab' }, { queue: 'alone' })
  const commandsBefore = await redisCommands()
  // A worker that still claimed would claim within two rounds of its dispatcher.
  const readBeats = async () =>
    Number((await system.connections.workerStore.list()).find((row) => row.id === workerId)?.lastBeatAt)
  const before = await readBeats()
  await until(readBeats, (at) => at > before + 2_000)
  expect(await system.task(next.id)).toMatchObject({ status: 'PENDING', attempt: 0 })
  // It does not fetch deliveries either, one after another, to return them.
  expect((await redisCommands()) - commandsBefore).toBeLessThan(1_000)
})

async function redisCommands(): Promise<number> {
  const client = await createClient({ url: system.redis.url }).connect()
  const info = await client.info('stats')
  client.destroy()
  return Number(/^total_commands_processed:(\d+)/m.exec(info)?.[1])
}
