// The bounds of what waits in Redis: a queue accepts a limited number of deliveries, and none while it has a
// backlog in Postgres.
import { createClient } from 'redis'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import { type RedisServer, startRedisServer } from '../../src/embedded/redis-server.ts'
import { createQueue, type Delivery, type Queue } from '../../src/redis/queue.ts'
import { until } from '../support/system.ts'

let redis: RedisServer
let inspector: ReturnType<typeof createClient>
beforeAll(async () => {
  redis = await startRedisServer()
  inspector = createClient({ url: redis.url })
  await inspector.connect()
})
afterAll(async () => {
  inspector.destroy()
  await redis.stop()
})

async function startQueue(name: string, maxDeliveries?: number): Promise<Queue> {
  const queue = createQueue({ redisUrl: redis.url, maxDeliveries, onError: () => {} })
  onTestFinished(() => queue.stop())
  await queue.prepare(name)
  return queue
}

const deliveryOf = (count: number): Delivery => ({
  references: Array.from({ length: count }, () => ({ id: newId(), attempt: 0 })),
  enqueuedAtMs: Date.now(),
})

test('a full queue refuses references, and from then on every process does until its backlog has ended', async () => {
  const queue = await startQueue('full', 3)
  for (let count = 0; count < 3; count++) expect(await queue.enqueueMany('full', deliveryOf(1))).toBe(true)
  expect(queue.hasBacklog('full')).toBe(false)
  expect(await queue.enqueueMany('full', deliveryOf(1))).toBe(false)
  expect(queue.hasBacklog('full')).toBe(true)
  expect(await queue.readState('full')).toEqual({ deliveries: 3, maxDeliveries: 3, hasBacklog: true })

  const other = await startQueue('full', 100)
  expect(await other.enqueueMany('full', deliveryOf(1))).toBe(false)
  // The head of the backlog is accepted: it is older than everything that is refused.
  expect(await other.enqueueMany('full', deliveryOf(1), { isBacklog: true })).toBe(true)
  await other.setBacklog('full', false)
  expect(await other.enqueueMany('full', deliveryOf(1))).toBe(true)
  await until(
    async () => queue.hasBacklog('full'),
    (hasBacklog) => !hasBacklog,
  )
})

test('a queue that has no connection yet rejects references, and throws nothing', async () => {
  const queue = createQueue({ redisUrl: redis.url, onError: () => {} })
  onTestFinished(() => queue.stop())
  // Both are called before the connection is made.
  const rejections = [queue.returnToQueue('early', deliveryOf(1)), queue.enqueueMany('early', deliveryOf(1))]
  for (const rejected of rejections) await expect(rejected).rejects.toThrow('Redis cannot be reached')
})

test('references are refused together or accepted together', async () => {
  const queue = await startQueue('whole', 2)
  expect(await queue.enqueueMany('whole', deliveryOf(400))).toBe(true)
  expect((await queue.readState('whole')).deliveries).toBe(4)
  expect(await queue.enqueueMany('whole', deliveryOf(400))).toBe(false)
  expect((await queue.readState('whole')).deliveries).toBe(4)
})

test('while more than half of the memory of Redis is in use, every queue accepts a few deliveries only', async () => {
  const queue = await startQueue('small')
  const used = Number(/^used_memory:(\d+)/m.exec(await inspector.info('memory'))?.[1])
  await inspector.configSet('maxmemory', String(Math.floor(used * 1.9)))
  onTestFinished(async () => void (await inspector.configSet('maxmemory', '0')))
  // The memory is read in the background.
  await until(
    () => queue.readState('small'),
    ({ maxDeliveries }) => maxDeliveries < 100,
  )
  while (await queue.enqueueMany('small', deliveryOf(128)));
  const { deliveries } = await queue.readState('small')
  expect(deliveries).toBeGreaterThan(0)
  expect(deliveries).toBeLessThan(20)
  await inspector.configSet('maxmemory', '0')
  await until(
    () => queue.readState('small'),
    ({ maxDeliveries }) => maxDeliveries > 100,
  )
})

test('a delivery is acknowledged also when Redis is full, which refuses every transaction', async () => {
  const queue = await startQueue('acknowledged')
  let acknowledge: (() => Promise<void>) | undefined
  let release = () => {}
  const consumer = queue.consume('acknowledged', 1, async (delivery) => {
    acknowledge = delivery.acknowledge
    await new Promise<void>((resolve) => {
      release = resolve
    })
  })
  await queue.enqueueMany('acknowledged', deliveryOf(1))
  await until(async () => acknowledge !== undefined, Boolean)
  await inspector.configSet({ maxmemory: '1', 'maxmemory-policy': 'noeviction' })
  await expect(inspector.multi().ping().exec()).rejects.toThrow()
  await acknowledge?.()
  expect(await inspector.lLen('waggle:acknowledged:active')).toBe(0)
  await inspector.configSet('maxmemory', '0')
  release()
  await consumer.stop()
})
