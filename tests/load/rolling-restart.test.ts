// All processes of API and worker are replaced while clients submit tasks.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { pause } from '../../src/base/loop.ts'
import { sql } from '../../src/store/drizzle.ts'
import { killLeftovers, startMain } from '../support/main-process.ts'
import { processesOf } from '../support/process-tree.ts'
import { submitReverse } from '../support/submit-reverse.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'

let system: TestSystem
let servers: Record<string, string>
beforeEach(async () => {
  system = await startSystem({ worker: false })
  servers = { DATABASE_URL: system.database.url, REDIS_URL: system.redis.url }
})
afterEach(async () => {
  killLeftovers()
  await system.stop()
})

test('a rolling restart under load: no request fails and no task uses a retry', async (context) => {
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  const api = await startMain('api', { ...servers, API_PROCESSES: '2' })
  const worker = await startMain('worker', { ...servers, WORKER_PROCESSES: '2', WORKER_NICE: '0' })
  await until(
    async () => worker.output(),
    (text) => text.includes('all processes are ready'),
  )
  const ids: string[] = []
  const errors: unknown[] = []
  const ending = new AbortController()
  const clients = Array.from({ length: 8 }, async () => {
    while (!ending.signal.aborted) {
      await submitReverse(api.url).then(
        (id) => ids.push(id),
        (error) => errors.push(error.cause ?? error),
      )
      await pause(20)
    }
  })
  const before = processesOf(api.pid, 'api')
  process.kill(api.pid, 'SIGHUP')
  process.kill(worker.pid, 'SIGHUP')
  for (const { output } of [api, worker]) {
    await until(
      async () => output(),
      (text) => text.includes('the rolling restart has ended'),
      120,
    )
  }
  ending.abort()
  await Promise.all(clients)
  expect(errors).toEqual([])
  expect(processesOf(api.pid, 'api').filter((pid) => before.includes(pid))).toEqual([])
  // Workers can fall behind the submissions while other tests use the processors.
  await until(system.countByStatus, (counts) => counts.SUCCESS === ids.length, 90)
  const rows = await system.connections.database.query<{ attempt: number }>(
    sql`select attempt from tasks where failures > 0`,
  )
  expect(rows).toEqual([])
  for (const main of [api, worker]) expect(await main.end('SIGTERM')).toBe(0)
})
