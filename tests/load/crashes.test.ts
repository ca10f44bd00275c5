// Many tasks under a supervisor, while tasks and signals end its processes.
import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { pause } from '../../src/base/loop.ts'
import { sql } from '../../src/store/drizzle.ts'
import { superviseWorkers } from '../support/supervised-workers.ts'
import { type TestSystem, until } from '../support/system.ts'
import { startTestTaskSystem } from '../support/test-task-system.ts'

let system: TestSystem
beforeAll(async () => {
  system = await startTestTaskSystem()
})
afterAll(() => system.stop())
beforeEach(async () => {
  await system.connections.database.query(sql`delete from tasks`)
})

// So long that no worker counts as missing: only the supervisor puts tasks back.
const NEVER_MISSING = { missingAfterMs: 120_000 }

test('of 500 tasks one in fifty ends its process: these ten fail, and no other one has used a retry', async (context) => {
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  const workers = await superviseWorkers(system, 2, NEVER_MISSING)
  onTestFinished(() => workers.kill())
  const batch = Array.from({ length: 500 }, (_, index) =>
    index % 50 === 25
      ? { name: 'exit', input: {}, options: { max_retries: 0 } }
      : { name: 'sleep', input: { ms: 50 }, options: { max_retries: 3 } },
  )
  await system.request('POST', '/v1/tasks/batch', { tasks: batch })
  await until(
    () => system.countByStatus(),
    ({ SUCCESS = 0, FAILURE = 0 }) => SUCCESS + FAILURE === 500,
    120,
  )
  const rows = await system.connections.database.query<object>(sql`
    select name, status, failures, count(*)::int as count from tasks group by name, status, failures order by name`)
  expect(rows).toEqual([
    { name: 'exit', status: 'FAILURE', failures: 1, count: 10 },
    { name: 'sleep', status: 'SUCCESS', failures: 0, count: 490 },
  ])
  expect(await workers.stop()).toBe(true)
}, 150_000)

test('450 tasks, a third of them isolated, all succeed despite kills of workers, isolated processes and reapers', async (context) => {
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  const workers = await superviseWorkers(system, 2, NEVER_MISSING)
  onTestFinished(() => workers.kill())
  const submitting = submitSlowly(450)
  for (const share of [0.1, 0.3, 0.5, 0.7]) {
    await until(countDone, (done) => done >= share * 450, 60)
    const pids = workers.slots.flatMap(({ current }) => current?.pid ?? [])
    killOneOf(pids.flatMap(isolatedProcessesOf))
    killOneOf(pids)
  }
  await submitting
  await until(countDone, (done) => done === 450, 120)
  const [row] = await system.connections.database.query<object>(sql`
    select count(*) filter (where failures > 0 and name = 'sleep')::int as failed,
           count(*) filter (where name = 'sleep' and result::text <> attempt::text)::int as wrong from tasks`)
  expect(row).toEqual({ failed: 0, wrong: 0 })
  expect(await workers.stop()).toBe(true)
}, 200_000)

function isolatedProcessesOf(workerPid: number): number[] {
  const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', String(workerPid)], { encoding: 'utf8' })
  return stdout.split('\n').filter(Boolean).map(Number)
}

function killOneOf(pids: number[]) {
  const pid = pids[Math.floor(Math.random() * pids.length)]
  try {
    if (pid) process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

async function submitSlowly(count: number) {
  for (let submitted = 0; submitted < count; submitted += 30) {
    await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        index % 3 === 0
          ? system.submit('isolated_compute', { ms: 5 }, { max_retries: 20 })
          : system.submit('sleep', { ms: 20 }, { max_retries: 20 }),
      ),
    )
    await pause(50)
  }
}

async function countDone(): Promise<number> {
  const { SUCCESS = 0 } = await system.countByStatus()
  return SUCCESS
}
