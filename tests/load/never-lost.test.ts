// The guarantee: an accepted task is never lost. It runs at least once, and exactly one result is accepted.
import { createClient } from 'redis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sql } from '../../src/store/drizzle.ts'
import { divideToday } from '../support/past-partitions.ts'
import { startSystem, type TestSystem } from '../support/system.ts'
import { createTestDefinitions } from '../support/test-definitions.ts'
import { expectAllToSucceed } from './under-faults.ts'

let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ worker: false, definitions: createTestDefinitions() })
})
afterAll(() => system.stop())

const kill = (killWorker: () => Promise<void>) => killWorker()

test('2,000 tasks all succeed despite five kills of the worker, two flushes of Redis and a restart of Redis', async (context) => {
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  await expectAllToSucceed(system, [kill, flush, kill, restartRedis, kill, flush, kill, kill])

  async function flush() {
    const client = await createClient({ url: system.redis.url }).connect()
    await client.flushAll()
    client.destroy()
  }

  async function restartRedis() {
    process.kill(system.redis.pid, 'SIGKILL')
    await system.redis.restart()
  }
})

test('2,000 tasks all succeed despite five kills while the next partition begins', async (context) => {
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  const { database } = system.connections
  await database.query(sql`truncate tasks, attempts, task_logs`)
  // The submissions take two seconds at least.
  const begin = async () => void (await divideToday(database, Date.now() + 1_000))
  await expectAllToSucceed(system, [kill, kill, kill, kill, kill], begin)
  const partitions = await database.query<{ count: number }>(
    sql`select count(*)::int as count from tasks group by tableoid`,
  )
  expect(partitions).toHaveLength(2)
})
