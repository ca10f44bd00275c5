// A failover of Redis in which the old primary becomes a replica and keeps its connections. New connections
// reach the new primary, as after a change of the DNS entry.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { createClient } from 'redis'
import { expect, onTestFinished, test } from 'vitest'
import { openConnections } from '../../src/connections.ts'
import { startRedisServer } from '../../src/embedded/redis-server.ts'
import { createEvents } from '../../src/telemetry/events.ts'
import { until } from '../support/system.ts'
import { createTestDatabase } from '../support/test-database.ts'

test('queue, signals and rate limiter leave a Redis that has become a replica', async () => {
  const [oldPrimary, newPrimary, database] = await Promise.all([
    startRedisServer(),
    startRedisServer(),
    createTestDatabase(),
  ])
  const [oldUrl, newUrl] = [new URL(oldPrimary.url), new URL(newPrimary.url)]
  let target = oldUrl
  const proxy = createServer((socket) => {
    const upstream = connect(Number(target.port), '127.0.0.1')
    socket.pipe(upstream).pipe(socket)
    for (const [one, other] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      one.on('error', () => {})
      one.on('close', () => other.destroy())
    }
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const admin = createClient({ url: newPrimary.url })
  const oldAdmin = createClient({ url: oldPrimary.url })
  await Promise.all([admin.connect(), oldAdmin.connect()])
  // Both servers have the same password, so that the client can use either.
  await admin.configSet('requirepass', oldUrl.password)
  const { port } = proxy.address() as AddressInfo
  const connections = await openConnections(
    {
      databaseUrl: database.url,
      redisUrl: `redis://:${oldUrl.password}@127.0.0.1:${port}`,
      rateLimit: { requests: 100, seconds: 60 },
    },
    createEvents(),
  )
  onTestFinished(async () => {
    await connections.close()
    for (const client of [admin, oldAdmin]) client.destroy()
    proxy.close()
    await Promise.all([oldPrimary.stop(), newPrimary.stop(), database.drop()])
  })
  const { queue, signals, rateLimiter } = connections
  const fetched: string[] = []
  const consumer = queue.consume('default', 1, async ({ references }) => {
    fetched.push(...references.map(({ id }) => id))
  })
  onTestFinished(() => consumer.stop())
  await new Promise<void>((resolve) => signals.listen('ended', () => {}, resolve))
  await queue.prepare('default')
  await enqueue('00000000-0000-7000-8000-000000000001')
  await until(
    async () => fetched.length,
    (count) => count === 1,
  )

  target = newUrl
  await oldAdmin.sendCommand(['REPLICAOF', '127.0.0.1', newUrl.port])
  await enqueue('00000000-0000-7000-8000-000000000002')
  await until(
    async () => fetched.length,
    (count) => count === 2,
  )
  expect(await connectionsOf(oldAdmin)).toEqual([])
  const heard = new Promise((resolve) => signals.listen('ended', resolve))
  await until(
    async () => signals.publish('ended', ['a']),
    () => true,
  )
  const publishing = setInterval(() => signals.publish('ended', ['a']), 20)
  onTestFinished(() => clearInterval(publishing))
  await heard
  await until(
    async () => rateLimiter?.count('client'),
    (state) => state !== null && state !== undefined,
  )

  /** Enqueues a task reference, repeatedly while Redis refuses it, like the dispatcher. */
  async function enqueue(id: string) {
    const delivery = { references: [{ id, attempt: 0 }], enqueuedAtMs: Date.now() }
    await until(() => queue.enqueueMany('default', delivery).catch(() => false), Boolean)
  }
})

/** Lists the clients of a server that came through the proxy, by their last commands. */
async function connectionsOf(admin: { sendCommand(args: string[]): Promise<unknown> }): Promise<string[]> {
  const text = String(await admin.sendCommand(['CLIENT', 'LIST']))
  const commands = [...text.matchAll(/cmd=(\S+)/g)].map(([, command]) => command ?? '')
  return commands.filter((command) => /brpoplpush|eval|publish|subscribe/.test(command))
}
