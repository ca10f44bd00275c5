// The guarantee: an accepted task is never lost. It runs at least once, and exactly one result is accepted.
import { createClient } from 'redis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { pause } from '../../src/base/loop.ts'
import { sql } from '../../src/store/drizzle.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createTestDefinitions } from '../support/test-definitions.ts'
import { spawnWorker } from '../support/worker-process.ts'

let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ worker: false, definitions: createTestDefinitions() })
})
afterAll(() => system.stop())

test('2,000 tasks all succeed despite five kills of the worker, two flushes of Redis and a restart of Redis', async (context) => {
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  const total = 2_000
  const faults = [kill, flush, kill, restartRedis, kill, flush, kill, kill]
  let worker = await spawnWorker(system)

  const submitting = submitAll(total)
  for (const [index, fault] of faults.entries()) {
    // The faults are spread over the run: each occurs after its share of the tasks has succeeded.
    await until(countDone, (done) => done >= (total * index) / (faults.length + 1))
    await fault()
  }
  const ids = await submitting
  await until(countDone, (done) => done === total)
  await worker.terminate()

  expect(new Set(ids).size).toBe(total)
  expect(await system.countByStatus()).toEqual({ SUCCESS: total })
  // Each row has exactly one result: the result of the attempt in its attempt column.
  const rows = await system.connections.database.query<{ wrong: number; failed: number }>(sql`
    select count(*) filter (where result::text <> attempt::text)::int as wrong,
           count(*) filter (where failures >= attempt)::int as failed from tasks`)
  expect(rows[0]).toEqual({ wrong: 0, failed: 0 })

  async function submitAll(count: number): Promise<string[]> {
    const ids: string[] = []
    while (ids.length < count) {
      // Submit slowly, so that faults occur during submissions too.
      const batch = await Promise.all(
        Array.from({ length: 50 }, () => system.submit('sleep', { ms: 20 }, { max_retries: 20 })),
      )
      ids.push(...batch.map(({ id }) => id))
      await pause(50)
    }
    return ids
  }

  async function kill() {
    await worker.kill()
    worker = await spawnWorker(system)
  }

  async function flush() {
    const client = await createClient({ url: system.redis.url }).connect()
    await client.flushAll()
    client.destroy()
  }

  async function restartRedis() {
    process.kill(system.redis.pid, 'SIGKILL')
    await system.redis.restart()
  }

  async function countDone(): Promise<number> {
    const { SUCCESS = 0 } = await system.countByStatus()
    return SUCCESS
  }
})
