// Shutdown of a worker process on SIGTERM.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createRunRecorder, createTestDefinitions, type RunRecorder } from '../support/test-definitions.ts'
import { spawnWorker } from '../support/worker-process.ts'

let system: TestSystem
let recorder: RunRecorder
beforeEach(async (context) => {
  system = await startSystem({ worker: false, definitions: createTestDefinitions() })
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  recorder = await createRunRecorder(system.database.url)
})
afterEach(async () => {
  await recorder?.close()
  await system.stop()
})

const started = (count: number) =>
  until(
    () => system.countByStatus(),
    ({ STARTED }) => STARTED === count,
  )

/** Waits until handlers run. A task is STARTED before its worker has read the response to the claim. */
const handlersRun = (count: number) =>
  until(
    () => recorder.all(),
    (runs) => runs.length >= count,
  )

test('after SIGTERM with 50 running tasks all of them finish, none runs twice, and the process exits with 0', async () => {
  const worker = await spawnWorker(system, { concurrency: 50 })
  await Promise.all(Array.from({ length: 80 }, () => system.submit('sleep', { ms: 3_000 })))
  await handlersRun(50)
  expect(await worker.terminate()).toBe(0)

  // On a slow machine some tasks can have finished, and others started in their slots, before 50 handlers
  // ran.
  const runs = await recorder.all()
  expect(runs.length).toBeGreaterThanOrEqual(50)
  expect(runs.length).toBeLessThan(80)
  expect(new Set(runs.map(({ task_id }) => task_id)).size).toBe(runs.length)
  expect(await system.countByStatus()).toEqual({ SUCCESS: runs.length, PENDING: 80 - runs.length })
  expect(await system.connections.workerStore.list()).toEqual([])
})

test('a task that runs longer than the grace period is released without using a retry, and another worker runs it', async () => {
  const worker = await spawnWorker(system, { concurrency: 20 }, 100)
  const holding = await Promise.all(
    Array.from({ length: 10 }, () => system.submit('hold', {}, { max_retries: 0 })),
  )
  const ignoring = await Promise.all(
    Array.from({ length: 5 }, () => system.submit('ignores_signal', { ms: 30_000 }, { max_retries: 0 })),
  )
  await handlersRun(15)
  expect(await worker.terminate()).toBe(0)

  for (const { id } of [...holding, ...ignoring]) {
    expect(await system.task(id)).toMatchObject({ status: 'PENDING', attempt: 1, failures: 0, attempts: [] })
  }
  const notes = (await recorder.all()).flatMap(({ note }) => note ?? [])
  expect(notes).toEqual(Array(10).fill('aborted: shutdown'))
  system.startWorker({ concurrency: 20 })
  await started(15)
  for (const { id } of [...holding, ...ignoring]) await system.request('POST', `/v1/tasks/${id}/cancel`)
})

test('a worker stops normally when Redis was killed', async () => {
  const worker = await spawnWorker(system)
  const task = await system.submit('sleep', { ms: 500 })
  await handlersRun(1)
  process.kill(system.redis.pid, 'SIGKILL')
  expect(await worker.terminate()).toBe(0)
  expect(await system.task(task.id)).toMatchObject({ status: 'SUCCESS', attempt: 1 })
})

test('a worker stops normally when Redis does not respond', async () => {
  const worker = await spawnWorker(system)
  const task = await system.submit('sleep', { ms: 1_500 })
  await handlersRun(1)
  process.kill(system.redis.pid, 'SIGSTOP')
  try {
    // The task needs Postgres only. When it has finished, every loop of the worker waits for a response from
    // Redis.
    expect(await system.taskWhenFinal(task.id)).toMatchObject({ status: 'SUCCESS', attempt: 1 })
    expect(await worker.terminate()).toBe(0)
  } finally {
    process.kill(system.redis.pid, 'SIGCONT')
  }
})
