// What is repaired when bells are lost, Redis forgets, or a worker falls silent.

import { createClient } from 'redis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import { sql } from '../../src/store/drizzle.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createRunRecorder, createTestDefinitions, type RunRecorder } from '../support/test-definitions.ts'
import { spawnWorker } from '../support/worker-process.ts'

let system: TestSystem
beforeEach(async () => {
  system = await startSystem({ worker: false, definitions: createTestDefinitions() })
})
afterEach(() => system.stop())

async function flush(what: 'flushAll' | 'scriptFlush') {
  const client = createClient({ url: system.redis.url })
  await client.connect()
  await client[what]()
  client.destroy()
}

const allSucceeded = (total: number) =>
  until(
    () => system.countByStatus(),
    ({ SUCCESS }) => SUCCESS === total,
  )

describe('Redis forgets', () => {
  test('after a flush of the scripts the next submission is rung as ever', async () => {
    system.startWorker()
    await system.taskWhenFinal((await system.submit('reverse', { text: 'before' })).id)
    await flush('scriptFlush')
    const task = await system.submit('reverse', { text: 'after' })
    expect(await system.taskWhenFinal(task.id)).toMatchObject({ status: 'SUCCESS' })
    expect(system.announced('enqueue.failed')).toEqual([])
  })

  test('after a flush of everything with 1,000 tasks waiting, all of them run', async () => {
    await Promise.all(Array.from({ length: 1_000 }, () => system.service.submit('reverse', { text: 'ab' })))
    await until(
      () => system.connections.queue.oldest('default'),
      ({ waitingMs }) => waitingMs !== null,
    )
    await flush('flushAll')
    system.startWorker()
    await allSucceeded(1_000)
    expect(system.announced('task.started')).toHaveLength(1_000)
  })

  test('after a restart of Redis the consumer takes again', async () => {
    system.startWorker()
    await system.taskWhenFinal((await system.submit('reverse', { text: 'before' })).id)
    process.kill(system.redis.pid, 'SIGKILL')
    await system.redis.restart()
    const tasks = await Promise.all(
      Array.from({ length: 20 }, () => system.submit('reverse', { text: 'after' })),
    )
    await allSucceeded(tasks.length + 1)
  })

  test('what was submitted while Redis was away runs when it is back', async () => {
    system.startWorker()
    await until(async () => system.connections.queue.isReady('default'), Boolean)
    process.kill(system.redis.pid, 'SIGKILL')
    await until(
      async () => system.connections.queue.isReady('default'),
      (isReady) => !isReady,
    )
    const task = await system.submit('reverse', { text: 'meanwhile' })
    await until(
      async () => system.announced('enqueue.failed').length,
      (count) => count > 0,
    )
    await system.redis.restart()
    expect(await system.taskWhenFinal(task.id)).toMatchObject({ status: 'SUCCESS', attempt: 1 })
  })
})

/** As if the API had died between the commit and the bell. */
async function commitWithoutBell(): Promise<string> {
  const id = newId()
  const given = {
    name: 'reverse',
    queue: 'default',
    input: { text: 'ab' },
    maxRetries: 0,
    timeoutMs: 1_000,
    tags: [],
  }
  await system.connections.taskStore.insertMany([{ ...given, id, createdAt: new Date() }])
  return id
}

describe('a bell is lost', () => {
  test('a row that was committed but never rung is found', async () => {
    const id = await commitWithoutBell()
    system.startWorker()
    expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS', result: { text: 'ba' } })
    expect(system.announced('tasks.enqueued')).toContainEqual({ reason: 'lost', count: 1 })
  })

  test('ids in a list without a delivery behind them hide no lost bell', async () => {
    const client = createClient({ url: system.redis.url })
    await client.connect()
    const ancient = '01000000-0000-7000-8000-000000000000'
    await client.lPush('waggle:default:active', ancient)
    await client.lPush('waggle:default:waiting', ancient)
    const id = await commitWithoutBell()
    system.startWorker()
    expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS' })
    await until(
      () => system.connections.queue.oldest('default'),
      ({ waitingMs, beingClaimedMs }) => waitingMs === null && beingClaimedMs === null,
    )
    client.destroy()
  })

  test('what nobody of ours has rung keeps the others of its delivery from nothing', async () => {
    const id = await commitWithoutBell()
    const strange = [
      { id: 'nobody', attempt: 0 },
      { id, attempt: 2 ** 40 },
      { id, attempt: 0.5 },
    ]
    await system.connections.queue.enqueueMany('default', [...strange, { id, attempt: 0 }])
    system.startWorker({ lostAfterMs: 60_000 })
    expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS' })
    expect(system.announced('error.transient')).toEqual([])
  })

  test('what waits in a long list is not rung again', async () => {
    await Promise.all(Array.from({ length: 200 }, () => system.service.submit('sleep', { ms: 30 })))
    await until(
      () => system.connections.queue.oldest('default'),
      ({ waitingMs }) => waitingMs !== null,
    )
    // As if their commit had taken no time: on a busy machine it may take longer than these 200 ms, by which a row may
    // be older than its delivery.
    await system.connections.database.query(sql`update tasks set enqueued_at = now()`)
    system.startWorker({ concurrency: 2, lostAfterMs: 200, reconcileMs: 100 })
    await allSucceeded(200)
    expect(system.announced('tasks.enqueued')).toEqual([])
  })

  test('two workers that find the same lost bells run each task once', async () => {
    await Promise.all(Array.from({ length: 300 }, () => system.service.submit('reverse', { text: 'ab' })))
    await flush('flushAll')
    system.startWorker()
    system.startWorker()
    await allSucceeded(300)
    expect(system.announced('task.started')).toHaveLength(300)
  })
})

describe('a worker falls silent', () => {
  let recorder: RunRecorder
  beforeEach(async (context) => {
    if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
    recorder = await createRunRecorder(system.database.url)
  })
  afterEach(() => recorder?.close())

  test('a task that kills its worker ends as FAILURE "worker lost" after its budget', async () => {
    const task = await system.submit('kill', {}, { max_retries: 1 })
    // A supervisor starts the worker again, however often it dies.
    let isOver = false
    const supervised = (async () => {
      while (!isOver) {
        const worker = await spawnWorker(system)
        const over = until(
          () => system.task(task.id),
          ({ is_final }) => is_final,
        ).then(() => worker.kill())
        await Promise.race([worker.ended, over])
      }
    })()
    const done = await system.taskWhenFinal(task.id)
    isOver = true
    await supervised
    expect(done).toMatchObject({ status: 'FAILURE', attempt: 2, failures: 2, error: { name: 'WorkerLost' } })
    expect(done.error?.message).toContain('worker lost')
    expect(done.attempts).toHaveLength(2)
    expect(await recorder.all()).toHaveLength(2)
  })

  test('a handler that blocks the event loop too long runs twice, and one result is accepted', async () => {
    const blocked = await spawnWorker(system, { missingAfterMs: 1_000, heartbeatMs: 200 })
    const task = await system.submit('block', { ms: 6_000 })
    await system.taskWhen(task.id, ({ status }) => status === 'STARTED')
    system.startWorker({ missingAfterMs: 1_000, heartbeatMs: 200 })
    const done = await system.taskWhenFinal(task.id)
    expect(done).toMatchObject({ status: 'SUCCESS', attempt: 2, result: 2, failures: 1 })
    // The first run ends too: its worker writes, is refused, and lives on.
    await until(
      () => recorder.all(),
      (runs) => runs.length >= 1,
    )
    expect(await blocked.terminate()).toBe(0)
    expect(await system.task(task.id)).toMatchObject({ status: 'SUCCESS', attempt: 2, result: 2 })
  })

  test('nobody is taken for silent right after Postgres was away for everybody', async () => {
    const worker = await spawnWorker(system, { missingAfterMs: 1_000, heartbeatMs: 200 })
    const task = await system.submit('sleep', { ms: 3_000 })
    await system.taskWhen(task.id, ({ status }) => status === 'STARTED')
    // As if all beats had been missed for an hour, seen by a worker that has just come back itself.
    await system.connections.database.query(sql`update workers set last_beat_at = now() - interval '1 hour'`)
    system.startWorker({ missingAfterMs: 1_000, heartbeatMs: 200 })
    expect(await system.taskWhenFinal(task.id)).toMatchObject({ status: 'SUCCESS', attempt: 1, failures: 0 })
    await worker.terminate()
  })
})
