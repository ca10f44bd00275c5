// Tasks that do not fit into Redis: they wait in Postgres, run in their order, and a full Redis recovers.
import { createClient } from 'redis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import { sql } from '../../src/store/drizzle.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createTestDefinitions } from '../support/test-definitions.ts'

let system: TestSystem
let redis: ReturnType<typeof createClient>
beforeEach(async () => {
  system = await startSystem({ worker: false, definitions: createTestDefinitions() })
  redis = createClient({ url: system.redis.url })
  await redis.connect()
})
afterEach(async () => {
  redis.destroy()
  await system.stop()
})

const usedMemory = async () => Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1])

async function submitMany(count: number) {
  for (let left = count; left > 0; left -= 1_000) {
    const size = Math.min(1_000, left)
    await Promise.all(Array.from({ length: size }, () => system.service.submit('reverse', { text: 'ab' })))
  }
  await system.service.whenEnqueued()
}

const allSucceeded = (total: number) =>
  until(
    () => system.countByStatus(),
    ({ SUCCESS }) => SUCCESS === total,
  )

const countNotEnqueued = async () => {
  const rows = await system.connections.database.query<{ count: number }>(
    sql`select count(*)::int as count from tasks where enqueued_at is null`,
  )
  return rows[0]?.count ?? 0
}

test('a Redis with little memory holds a part of the backlog, the rest runs from Postgres', async () => {
  await redis.configSet({
    maxmemory: String((await usedMemory()) + 1_000_000),
    'maxmemory-policy': 'noeviction',
  })
  await submitMany(15_000)
  expect(await countNotEnqueued()).toBeGreaterThan(5_000)
  expect(system.emitted('enqueue.failed')).toEqual([])
  system.startWorker({ concurrency: 500 })
  await allSucceeded(15_000)
  expect(system.emitted('enqueue.failed')).toEqual([])
  expect(system.emitted('task.started')).toHaveLength(15_000)
})

test('a task that is submitted while older ones wait in Postgres starts after them', async () => {
  await redis.set('waggle:default:backlog', '1')
  await submitMany(3_000)
  const last = await system.submit('reverse', { text: 'last' })
  // The flag is gone, as after a restart of Redis. The older tasks are enqueued first nevertheless.
  await redis.del('waggle:default:backlog')
  system.startWorker({ concurrency: 10 })
  await allSucceeded(3_001)
  const started = system.emitted('task.started').map(({ taskId }) => taskId)
  // Postgres decides the order within one claim.
  expect(started.indexOf(last.id)).toBeGreaterThan(3_001 - 128)
  await until(
    () => system.connections.queue.readState('default'),
    ({ hasBacklog }) => !hasBacklog,
  )
})

test('a Redis that has reached maxmemory recovers by itself', async () => {
  await submitMany(10)
  await redis.configSet({
    'maxmemory-policy': 'noeviction',
    maxmemory: String((await usedMemory()) + 2_000_000),
  })
  // Deliveries of a queue that no worker serves fill the memory, up to the error of Redis.
  await expect(async () => {
    for (;;) {
      const id = newId()
      const job = JSON.stringify({ data: { tasks: [[newId(), 0]] }, options: {}, status: 'created' })
      await redis.multi().hSet('waggle:unserved:jobs', id, job).lPush('waggle:unserved:waiting', id).exec()
    }
  }).rejects.toThrow('OOM')
  system.startWorker()
  await submitMany(10)
  await allSucceeded(20)
  expect(await redis.exists(['waggle:unserved:waiting', 'waggle:unserved:jobs'])).toBe(0)
  const errors = system.emitted('error.transient').map(({ error }) => String(error))
  expect(errors.join()).toContain('deliveries of the queue "unserved" were deleted')
})

test('a resumed queue changes no task that was not in Redis', async () => {
  await submitMany(5)
  await system.request('POST', '/v1/queues/default/pause')
  const worker = system.startWorker()
  // The dispatcher sets the flag, because all tasks of a paused queue have to wait in Postgres.
  await until(
    () => system.connections.queue.readState('default'),
    ({ hasBacklog }) => hasBacklog,
  )
  await worker.stop(0)
  await until(async () => system.service.submit('reverse', { text: 'ab' }).then(countNotEnqueued), Boolean)
  await submitMany(500)
  const before = await versionsOfNotEnqueued()
  expect(before.length).toBeGreaterThan(500)
  await system.request('POST', '/v1/queues/default/resume')
  expect(await versionsOfNotEnqueued()).toEqual(expect.arrayContaining(before))
  system.startWorker()
  await until(
    () => system.countByStatus(),
    (counts) => counts.PENDING === undefined && counts.STARTED === undefined,
  )
})

/** Physical row versions (`xmin`) of tasks that are not enqueued: an update would change them. */
async function versionsOfNotEnqueued(): Promise<string[]> {
  const rows = await system.connections.database.query<{ version: string }>(
    sql`select id || ' ' || xmin as version from tasks where enqueued_at is null order by id`,
  )
  return rows.map(({ version }) => version)
}
