// Repair of lost deliveries, of lost data in Redis, and of tasks abandoned by missing workers.
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

async function flush(command: 'flushAll' | 'scriptFlush') {
  const client = createClient({ url: system.redis.url })
  await client.connect()
  await client[command]()
  client.destroy()
}

const allSucceeded = (total: number) =>
  until(
    () => system.countByStatus(),
    ({ SUCCESS }) => SUCCESS === total,
  )

describe('Redis loses its data', () => {
  test('a task is enqueued after Redis has lost its scripts', async () => {
    system.startWorker()
    await system.taskWhenFinal((await system.submit('reverse', { text: 'before' })).id)
    await flush('scriptFlush')
    const task = await system.submit('reverse', { text: 'after' })
    expect(await system.taskWhenFinal(task.id)).toMatchObject({ status: 'SUCCESS' })
    expect(system.emitted('enqueue.failed')).toEqual([])
  })

  test('1,000 waiting tasks run after Redis was flushed', async () => {
    await Promise.all(Array.from({ length: 1_000 }, () => system.service.submit('reverse', { text: 'ab' })))
    await until(
      () => system.connections.queue.oldest('default'),
      ({ waitingMs }) => waitingMs !== null,
    )
    await flush('flushAll')
    system.startWorker()
    await allSucceeded(1_000)
    expect(system.emitted('task.started')).toHaveLength(1_000)
  })

  test('the consumer fetches again after a restart of Redis', async () => {
    system.startWorker()
    await system.taskWhenFinal((await system.submit('reverse', { text: 'before' })).id)
    process.kill(system.redis.pid, 'SIGKILL')
    await system.redis.restart()
    const tasks = await Promise.all(
      Array.from({ length: 20 }, () => system.submit('reverse', { text: 'after' })),
    )
    await allSucceeded(tasks.length + 1)
  })

  test('a task that was submitted while Redis was unavailable runs when it is available again', async () => {
    system.startWorker()
    await until(async () => system.connections.queue.isReady('default'), Boolean)
    process.kill(system.redis.pid, 'SIGKILL')
    await until(
      async () => system.connections.queue.isReady('default'),
      (isReady) => !isReady,
    )
    const task = await system.submit('reverse', { text: 'meanwhile' })
    await until(
      async () => system.emitted('enqueue.failed').length,
      (count) => count > 0,
    )
    await system.redis.restart()
    expect(await system.taskWhenFinal(task.id)).toMatchObject({ status: 'SUCCESS', attempt: 1 })
  })
})

/** Commits a task without enqueuing it, like an API that is killed between the two. */
async function commitOnly(): Promise<string> {
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

describe('lost deliveries', () => {
  test('a task that was committed but never enqueued is enqueued as a lost delivery', async () => {
    const id = await commitOnly()
    system.startWorker()
    expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS', result: { text: 'ba' } })
    expect(system.emitted('tasks.enqueued')).toContainEqual({ reason: 'lost', count: 1 })
  })

  test('a lost delivery is found although the lists in Redis contain ids without a Bee-Queue job', async () => {
    const client = createClient({ url: system.redis.url })
    await client.connect()
    const ancient = '01000000-0000-7000-8000-000000000000'
    await client.lPush('waggle:default:active', ancient)
    await client.lPush('waggle:default:waiting', ancient)
    const id = await commitOnly()
    system.startWorker()
    expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS' })
    await until(
      () => system.connections.queue.oldest('default'),
      ({ waitingMs, beingClaimedMs }) => waitingMs === null && beingClaimedMs === null,
    )
    client.destroy()
  })

  test('invalid task references do not prevent the claims of the others in their delivery', async () => {
    const id = await commitOnly()
    const invalid = [
      { id: 'no-uuid', attempt: 0 },
      { id, attempt: 2 ** 40 },
      { id, attempt: 0.5 },
    ]
    const references = [...invalid, { id, attempt: 0 }]
    await system.connections.queue.enqueueMany('default', { references, enqueuedAtMs: Date.now() })
    system.startWorker({ lostAfterMs: 60_000 })
    expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS' })
    expect(system.emitted('error.transient')).toEqual([])
  })

  test('a task that waits in a long list is not enqueued again', async () => {
    await Promise.all(Array.from({ length: 200 }, () => system.service.submit('sleep', { ms: 30 })))
    await until(
      () => system.connections.queue.oldest('default'),
      ({ waitingMs }) => waitingMs !== null,
    )
    // A task counts as lost when it is 200 ms older than the oldest delivery. On a busy machine its commit
    // alone can take longer than that, so set enqueued_at to a later time.
    await system.connections.database.query(sql`update tasks set enqueued_at = now()`)
    system.startWorker({ concurrency: 2, lostAfterMs: 200, reconcileMs: 100 })
    await allSucceeded(200)
    expect(system.emitted('tasks.enqueued')).toEqual([])
  })

  test('a lost delivery is found although another queue has lost many', async () => {
    const { database, dispatchStore } = system.connections
    await database.query(sql`
      insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, run_at, created_at, enqueued_at)
      select gen_random_uuid(), 'reverse', case when n = 0 then 'small' else 'large' end, 'PENDING',
             '{"text":"ab"}', 3, 1000, now(), now(), now() - interval '1 hour'
      from generate_series(0, 20000) as n`)
    const found: string[] = []
    const { clearLost } = dispatchStore
    dispatchStore.clearLost = async (queue, ...rest) => {
      const count = await clearLost(queue, ...rest)
      if (count > 0) found.push(queue)
      return count
    }
    const worker = system.startWorker({ queues: ['large', 'small'], concurrency: 1 })
    await until(async () => found.includes('small'), Boolean)
    await worker.stop(0)
    dispatchStore.clearLost = clearLost
    expect(found.indexOf('small')).toBe(1)
  })

  test('two workers that find the same lost deliveries run each task once', async () => {
    await Promise.all(Array.from({ length: 300 }, () => system.service.submit('reverse', { text: 'ab' })))
    await flush('flushAll')
    system.startWorker()
    system.startWorker()
    await allSucceeded(300)
    expect(system.emitted('task.started')).toHaveLength(300)
  })
})

describe('missing workers', () => {
  let recorder: RunRecorder
  beforeEach(async (context) => {
    if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
    recorder = await createRunRecorder(system.database.url)
  })
  afterEach(() => recorder?.close())

  test('a task that kills its worker in every attempt ends as FAILURE "worker lost" when its retries are used up', async () => {
    const task = await system.submit('kill', {}, { max_retries: 1 })
    // A supervisor starts the worker again each time it has died.
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

  test('the error "worker lost" names up to ten other tasks of that worker, the last started ones first', async () => {
    const worker = await spawnWorker(system)
    const options = { max_retries: 0 }
    const sleepers = await Promise.all(
      Array.from({ length: 12 }, () => system.submit('sleep', { ms: 60_000 }, options)),
    )
    await until(
      () => recorder.all(),
      (runs) => runs.length === 12,
    )
    const culprit = await system.submit('kill', {}, options)
    await worker.ended
    system.startWorker()
    const [{ error } = { error: null }] = await Promise.all(
      sleepers.map(({ id }) => system.taskWhenFinal(id)),
    )
    const id = '[0-9a-f-]{36}'
    expect(error?.message).toMatch(
      new RegExp(
        `^worker lost during attempt 1; the worker also ran kill ${culprit.id}(, sleep ${id}){9} and 2 other tasks$`,
      ),
    )
    expect(await system.taskWhenFinal(culprit.id)).toMatchObject({ status: 'FAILURE' })
  })

  test('a task whose worker process was stopped for too long runs twice, and one result is accepted', async () => {
    const stopped = await spawnWorker(system, { missingAfterMs: 1_000, heartbeatMs: 200 })
    const task = await system.submit('sleep', { ms: 2_000, laterMs: 1 })
    await until(
      () => recorder.all(),
      (runs) => runs.length === 1,
    )
    process.kill(stopped.pid, 'SIGSTOP')
    system.startWorker({ missingAfterMs: 1_000, heartbeatMs: 200 })
    const done = await system.taskWhenFinal(task.id)
    expect(done).toMatchObject({ status: 'SUCCESS', attempt: 2, result: 2, failures: 1 })
    // The first attempt ends too: its result is rejected, and its worker continues to run.
    process.kill(stopped.pid, 'SIGCONT')
    expect(await stopped.terminate()).toBe(0)
    expect(await system.task(task.id)).toMatchObject({ status: 'SUCCESS', attempt: 2, result: 2 })
  })

  test('two workers put back many tasks of a missing worker, each task once', async () => {
    const missing = newId()
    await system.connections.database.query(sql`
      insert into workers (id, host, pid, version, queues, concurrency, last_beat_at)
      values (${missing}::uuid, 'gone', 1, 'test', '{default}', 1000, now() - interval '1 hour')`)
    await system.connections.database.query(sql`
      insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, run_at, created_at, enqueued_at,
                         attempt, started_at, worker_id)
      select gen_random_uuid(), 'reverse', 'default', 'STARTED', '{"text":"ab"}', 3, 60000, now(), now(),
             now() - n * interval '20 ms', 1, now() - interval '1 hour', ${missing}::uuid
      from generate_series(1, 1200) as n`)
    system.startWorker({ missingAfterMs: 1_000, heartbeatMs: 200 })
    system.startWorker({ missingAfterMs: 1_000, heartbeatMs: 200 })
    await allSucceeded(1_200)
    const lost = system.emitted('attempt.lost').map(({ taskId }) => taskId)
    expect([lost.length, new Set(lost).size]).toEqual([1_200, 1_200])
    const [attempts] = await system.connections.database.query<{ count: number; message: string }>(
      sql`select count(*)::int as count, min(error->>'message') as message from attempts`,
    )
    expect(attempts?.count).toBe(1_200)
    expect(attempts?.message).toMatch(
      /^worker lost during attempt 1; the worker also ran (reverse [0-9a-f-]{36},? ?){10} ?and \d+ other tasks$/,
    )
  })

  test('no worker counts as missing right after Postgres was unavailable for all of them', async () => {
    const worker = await spawnWorker(system, { missingAfterMs: 1_000, heartbeatMs: 200 })
    const task = await system.submit('sleep', { ms: 3_000 })
    await system.taskWhen(task.id, ({ status }) => status === 'STARTED')
    // All heartbeats are an hour old, as after an outage of Postgres, and the other worker has just started.
    await system.connections.database.query(sql`update workers set last_beat_at = now() - interval '1 hour'`)
    system.startWorker({ missingAfterMs: 1_000, heartbeatMs: 200 })
    expect(await system.taskWhenFinal(task.id)).toMatchObject({ status: 'SUCCESS', attempt: 1, failures: 0 })
    await worker.terminate()
  })
})
