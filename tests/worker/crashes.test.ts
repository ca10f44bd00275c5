// A worker process that crashes: its isolated processes end with it, and its tasks run next in isolation.
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { AppError } from '../../src/base/errors.ts'
import { sql } from '../../src/store/drizzle.ts'
import { recoverTasksOf } from '../../src/worker/crash-recovery.ts'
import { type TestSystem, until } from '../support/system.ts'
import { startTestTaskSystem } from '../support/test-task-system.ts'
import { spawnWorker, WITH_ISOLATED, type WorkerProcess } from '../support/worker-process.ts'

let system: TestSystem
beforeAll(async () => {
  system = await startTestTaskSystem()
})
afterAll(() => system.stop())

const recover = ({ workerId }: WorkerProcess) =>
  recoverTasksOf({ databaseUrl: system.database.url, workerId, isCrash: true })

// Long enough that no other worker counts the crashed one as missing.
const NEVER_MISSING = { ...WITH_ISOLATED, missingAfterMs: 60_000 }

test('the task that exits the process fails alone, and what ran beside it loses no retry', async (context) => {
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  const worker = await spawnWorker(system, NEVER_MISSING)
  const sleepers = await Promise.all(
    Array.from({ length: 19 }, () => system.submit('sleep', { ms: 60_000, laterMs: 10 }, { max_retries: 0 })),
  )
  for (const { id } of sleepers) await system.taskWhen(id, ({ status }) => status === 'STARTED')
  const culprit = await system.submit('exit', {}, { max_retries: 0 })
  expect(await worker.ended).toBe(3)
  const recovered = await recover(worker)
  expect(recovered).toHaveLength(20)
  for (const { id } of sleepers)
    expect(await system.task(id)).toMatchObject({ status: 'PENDING', failures: 0, attempt: 1 })
  expect(await recover(worker)).toEqual([])

  const next = await spawnWorker(system, NEVER_MISSING)
  for (const { id } of sleepers)
    expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS', failures: 0, attempt: 2 })
  expect(await system.taskWhenFinal(culprit.id)).toMatchObject({
    status: 'FAILURE',
    error: { name: 'ProcessCrashed', message: expect.stringContaining('exited with code 3') },
    failures: 1,
  })
  await next.terminate()
})

test('a cancelled task of a crashed worker ends as CANCELLED', async (context) => {
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  const worker = await spawnWorker(system, NEVER_MISSING)
  const { id } = await system.submit('ignores_signal', { ms: 60_000 })
  await system.taskWhen(id, ({ status }) => status === 'STARTED')
  await system.request('POST', `/v1/tasks/${id}/cancel`)
  await worker.kill()
  await recover(worker)
  expect((await system.task(id)).status).toBe('CANCELLED')
})

test('a task that crashes its worker again and again fails at last', async (context) => {
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  const { id } = await system.submit('sleep', { ms: 60_000 }, { max_retries: 0 })
  await system.connections.database.query(sql`update tasks set crashes = 4 where id = ${id}::uuid`)
  const worker = await spawnWorker(system, NEVER_MISSING)
  await system.taskWhen(id, ({ status }) => status === 'STARTED')
  await worker.kill()
  await recover(worker)
  expect(await system.task(id)).toMatchObject({
    status: 'FAILURE',
    error: { name: 'WorkerCrashed' },
    failures: 1,
  })
})

test('a worker that could not release its tasks says so, and a recovery releases them without isolation', async (context) => {
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  const { taskStore } = system.connections
  const { finishMany } = taskStore
  onTestFinished(() => void Object.assign(taskStore, { finishMany }))
  const worker = system.startWorker({ queues: ['default'], missingAfterMs: 60_000 })
  const { id } = await system.submit('ignores_signal', { ms: 5_000 }, { max_retries: 0 })
  await system.taskWhen(id, ({ status }) => status === 'STARTED')
  taskStore.finishMany = () => Promise.reject(new AppError('unavailable', 'Postgres cannot be reached'))
  expect(await worker.stop(0)).toBe(false)
  expect((await system.task(id)).status).toBe('STARTED')
  taskStore.finishMany = finishMany
  await recoverTasksOf({ databaseUrl: system.database.url, workerId: worker.id, isCrash: false })
  expect(await system.task(id)).toMatchObject({ status: 'PENDING', failures: 0, is_isolated: false })
  await system.request('POST', `/v1/tasks/${id}/cancel`)
  const other = system.startWorker({ queues: ['default'] })
  expect(await other.stop(0)).toBe(true)
})

test('kill -9 of a worker ends its isolated processes, even one that computes', async (context) => {
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  const worker = await spawnWorker(system, NEVER_MISSING)
  const { id } = await system.submit('isolated_fault', { fault: 'loop' }, { max_retries: 0 })
  await until(
    async () => system.request('GET', `/v1/tasks/${id}/logs`),
    ({ body }) => (body as { data: unknown[] }).data.length > 0,
  )
  const before = childrenOf(worker.pid)
  expect(before.length).toBeGreaterThanOrEqual(2)
  await worker.kill()
  await until(
    async () => before.filter(isRunning),
    (left) => left.length === 0,
    5,
  )
  await recover(worker)
  await system.request('POST', `/v1/tasks/${id}/cancel`)
})

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
}

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
