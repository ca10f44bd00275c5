// Queues: their lengths, pausing and resuming.
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { QueueView } from '../../src/api/system/queue-routes.ts'
import type { TaskView } from '../../src/api/tasks/task-view.ts'
import { newId } from '../../src/base/uuidv7.ts'
import { sql } from '../../src/store/drizzle.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createTestDefinitions } from '../support/test-definitions.ts'

let system: TestSystem
beforeAll(async () => {
  system = await startSystem({
    definitions: createTestDefinitions(),
    worker: { queues: ['default', 'mail', 'slow'] },
  })
})
afterAll(() => system.stop())

const post = (path: string) => system.request('POST', path) as Promise<{ status: number; body: QueueView }>

async function queueNamed(name: string): Promise<QueueView | undefined> {
  const { body } = (await system.request('GET', '/v1/queues')) as { body: { data: QueueView[] } }
  return body.data.find((queue) => queue.name === name)
}

/**
 * Waits until the queue is as expected. A change shows late, because a shared query serves all reads within a
 * second.
 */
async function untilQueue(name: string, expected: object): Promise<void> {
  await expect.poll(() => queueNamed(name)).toMatchObject(expected)
}

/**
 * Waits for two rounds of the dispatcher and the reconciler, so that every task that can start has started.
 */
async function severalRounds() {
  for (const _ of [1, 2]) {
    const probe = await system.submit('reverse', { text: 'ab' }, { queue: 'mail', delay_seconds: 1 })
    await system.taskWhenFinal(probe.id)
  }
}

test('every queue of a task or a worker is listed with its length and its number of workers', async () => {
  await until(
    () => queueNamed('default'),
    (queue) => queue?.workers === 1,
  )
  expect(await queueNamed('default')).toEqual({
    name: 'default',
    waiting: 0,
    running: 0,
    oldest_waiting_seconds: null,
    counted_at: expect.any(String),
    held: 0,
    limits: null,
    is_paused: false,
    paused_at: null,
    workers: 1,
  })
  await system.submit('reverse', { text: 'ab' }, { queue: 'without-worker' })
  await untilQueue('without-worker', {
    waiting: 1,
    running: 0,
    workers: 0,
    oldest_waiting_seconds: expect.any(Number),
  })
})

test('tasks of a paused queue do not start while other queues continue, and run after the resume', async () => {
  const paused = await post('/v1/queues/slow/pause')
  expect([paused.status, paused.body.is_paused]).toEqual([200, true])
  expect(paused.body.paused_at).not.toBeNull()
  const tasks = await Promise.all(
    Array.from({ length: 20 }, () => system.submit('reverse', { text: 'ab' }, { queue: 'slow' })),
  )
  const delayed = await system.submit('reverse', { text: 'ab' }, { queue: 'slow', delay_seconds: 0.2 })
  await severalRounds()
  for (const { id } of [...tasks, delayed]) {
    expect(await system.task(id)).toMatchObject({ status: 'PENDING', attempt: 0 })
  }
  await untilQueue('slow', { waiting: 21, running: 0, is_paused: true })
  const resumed = await post('/v1/queues/slow/resume')
  expect([resumed.status, resumed.body.is_paused]).toEqual([200, false])
  for (const { id } of [...tasks, delayed]) {
    expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS', attempt: 1 })
  }
})

test('tasks that run when their queue is paused finish, and retries wait', async () => {
  const running = await system.submit('sleep', { ms: 500 }, { queue: 'slow' })
  await system.taskWhen(running.id, ({ status }) => status === 'STARTED')
  const failing = await system.submit(
    'email',
    { recipient: 'fail@example.com', subject: 's', body: 'b' },
    { queue: 'slow' },
  )
  await system.taskWhen(failing.id, ({ status }) => status === 'RETRY')
  await post('/v1/queues/slow/pause')
  expect(await system.taskWhenFinal(running.id)).toMatchObject({ status: 'SUCCESS' })
  const { attempt } = await system.task(failing.id)
  await severalRounds()
  expect(await system.task(failing.id)).toMatchObject({ status: 'RETRY', attempt })
  await system.request('POST', `/v1/tasks/${failing.id}/cancel`)
  await post('/v1/queues/slow/resume')
})

test('a queue stays paused through a restart of Redis and the start of a worker', async () => {
  await post('/v1/queues/slow/pause')
  const task = await system.submit('reverse', { text: 'ab' }, { queue: 'slow' })
  await system.redis.restart()
  system.startWorker({ queues: ['slow'] })
  await severalRounds()
  expect(await system.task(task.id)).toMatchObject({ status: 'PENDING', attempt: 0 })
  await post('/v1/queues/slow/resume')
  expect(await system.taskWhenFinal(task.id)).toMatchObject({ status: 'SUCCESS' })
})

test('resuming a queue that is not paused does not change its tasks', async () => {
  const { taskStore, taskReader } = system.connections
  const task = { id: newId(), name: 'reverse', queue: 'unserved', input: {}, tags: [], createdAt: new Date() }
  // Inserted and not submitted, because the enqueue of a submission could change enqueued_at at any time.
  await taskStore.insertMany([{ ...task, maxRetries: 0, timeoutMs: 1_000 }])
  const enqueuedAt = async () => (await taskReader.find(task.id))?.enqueuedAt
  const before = await enqueuedAt()
  await post('/v1/queues/unserved/resume')
  expect(before).toBeInstanceOf(Date)
  expect(await enqueuedAt()).toEqual(before)
})

test('a queue without due tasks has no oldest waiting task, also while it is paused', async () => {
  await post('/v1/queues/slow/pause')
  await untilQueue('slow', { waiting: 0, oldest_waiting_seconds: null })
  await post('/v1/queues/slow/resume')
})

test('the backlog of one queue does not delay other queues', async () => {
  const { database, dispatchStore } = system.connections
  await database.query(sql`
    insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, run_at, created_at)
    select ('01910000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'reverse', 'backlog', 'PENDING',
           '{"text":"ab"}', 3, 1000, now() - interval '1 hour', now()
    from generate_series(1, 12000) as n`)
  const dispatched: string[] = []
  const { markDueEnqueued } = dispatchStore
  dispatchStore.markDueEnqueued = async (queue, limit, after) => {
    const refs = await markDueEnqueued(queue, limit, after)
    if (refs.length > 0) dispatched.push(queue)
    return refs
  }
  const other = await system.submit('reverse', { text: 'ab' }, { queue: 'other', delay_seconds: 0.01 })
  const worker = system.startWorker({ queues: ['backlog', 'other'], concurrency: 1 })
  await system.taskWhenFinal(other.id)
  expect(dispatched.indexOf('other')).toBeLessThanOrEqual(2)
  await worker.stop(0)
  dispatchStore.markDueEnqueued = markDueEnqueued
  await database.query(sql`delete from tasks where queue = 'backlog'`)
})

test('pausing and resuming can be repeated', async () => {
  for (const verb of ['pause', 'pause', 'resume', 'resume']) {
    const { status, body } = await post(`/v1/queues/spare/${verb}`)
    expect([status, body.name, body.is_paused]).toEqual([200, 'spare', verb === 'pause'])
  }
})

test('a task of a paused queue that is retried by an operator waits', async () => {
  const task = await system.submit('divide', { x: 1, y: 0 }, { queue: 'slow' })
  await system.taskWhenFinal(task.id)
  await post('/v1/queues/slow/pause')
  await system.request('POST', `/v1/tasks/${task.id}/retry`)
  await severalRounds()
  expect(await system.task(task.id)).toMatchObject({
    status: 'PENDING',
    attempt: 1,
  } satisfies Partial<TaskView>)
  await post('/v1/queues/slow/resume')
  expect(await system.taskWhenFinal(task.id)).toMatchObject({ status: 'FAILURE', attempt: 2 })
})

test.each(['Default', 'a b', '../..', 'x'.repeat(65)])('the queue name %j gets 404', async (name) => {
  const { status } = await post(`/v1/queues/${encodeURIComponent(name)}/pause`)
  expect(status).toBe(404)
})
