// One bad task in a worker process beside 19 good ones with no retries: none of the good ones fails.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type FullTask, startSystem, type TestSystem, until } from '../support/system.ts'
import { createRunRecorder, createTestDefinitions, type RunRecorder } from '../support/test-definitions.ts'
import { spawnWorker, type WorkerProcess } from '../support/worker-process.ts'

const SLEEPERS = 19
const OPTIONS = { concurrency: 20, abortGraceMs: 300 }

let system: TestSystem
let recorder: RunRecorder
let workers: WorkerProcess[]
beforeEach(async (context) => {
  workers = []
  system = await startSystem({ worker: false, definitions: createTestDefinitions() })
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  recorder = await createRunRecorder(system.database.url)
})
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.kill()))
  await recorder?.close()
  await system.stop()
})

async function startProcess(graceMs = 10_000, options = {}): Promise<WorkerProcess> {
  const worker = await spawnWorker(system, { ...OPTIONS, ...options }, graceMs)
  workers.push(worker)
  return worker
}

/** Starts sleepers that may not be retried, all in one worker, and returns their ids when all of them run. */
async function startSleepers(ms: number, laterMs = ms): Promise<string[]> {
  const tasks = await Promise.all(
    Array.from({ length: SLEEPERS }, () => system.submit('sleep', { ms, laterMs }, { max_retries: 0 })),
  )
  await until(recorder.all, (runs) => runs.length === SLEEPERS)
  return tasks.map(({ id }) => id)
}

const whenFinal = (ids: string[]) => Promise.all(ids.map(system.taskWhenFinal))

function expectUndisturbed(sleepers: FullTask[], attempt = 1) {
  expect(sleepers.map(({ status, attempt, failures }) => ({ status, attempt, failures }))).toEqual(
    Array(SLEEPERS).fill({ status: 'SUCCESS', attempt, failures: 0 }),
  )
}

describe('beside 19 sleepers without retries', () => {
  test.each(['timer', 'rejection'])('an error of a %s fails only its own attempt', async (kind) => {
    const first = await startProcess()
    const sleepers = await startSleepers(4_000)
    const { id } = await system.submit('stray_throw', { kind }, { max_retries: 1 })
    await startProcess()
    expectUndisturbed(await whenFinal(sleepers))
    const culprit = await system.taskWhenFinal(id)
    expect(culprit).toMatchObject({ status: 'SUCCESS', attempt: 2, failures: 1 })
    expect(culprit.attempts).toMatchObject([
      {
        attempt: 1,
        error: {
          name: 'RangeError',
          message: 'astray. The handler has ignored its AbortSignal for 0.3 s and may still run',
          stack: expect.stringMatching(/^RangeError: astray\n.*test-definitions\.ts/),
        },
      },
    ])
    expect(await first.terminate()).toBe(0)
  })

  test('an attempt that ends at its abort fails with its error immediately, whatever it returns', async () => {
    const first = await startProcess(10_000, { abortGraceMs: 600_000 })
    const sleepers = await startSleepers(3_000)
    const input = { kind: 'timer', ending: 'at its abort' }
    const { id } = await system.submit('stray_throw', input, { max_retries: 0 })
    expect(await system.taskWhenFinal(id)).toMatchObject({
      status: 'FAILURE',
      result: null,
      error: { name: 'RangeError', message: 'astray', retryable: true },
    })
    expectUndisturbed(await whenFinal(sleepers))
    expect(await first.terminate()).toBe(0)
  })

  test('an error after the end of its attempt fails nothing', async () => {
    const first = await startProcess()
    const sleepers = await startSleepers(3_000)
    const { id } = await system.submit('late_throw', { ms: 200 }, { max_retries: 0 })
    await startProcess()
    expectUndisturbed(await whenFinal(sleepers))
    expect(await system.task(id)).toMatchObject({ status: 'SUCCESS', attempt: 1 })
    expect(await first.terminate()).toBe(0)
  })

  test('an error of an abort listener leaves a cancelled task cancelled', async () => {
    const first = await startProcess()
    const sleepers = await startSleepers(4_000)
    const { id } = await system.submit('stray_throw', { kind: 'abort listener' }, { max_retries: 0 })
    await until(recorder.all, (runs) => runs.length === SLEEPERS + 1)
    await system.request('POST', `/v1/tasks/${id}/cancel`)
    await startProcess()
    expectUndisturbed(await whenFinal(sleepers))
    expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'CANCELLED', failures: 0 })
    expect(await first.terminate()).toBe(0)
  })

  test('a handler that never settles is timed out and retried', async () => {
    const first = await startProcess()
    const sleepers = await startSleepers(4_000)
    const { id } = await system.submit('hang', {}, { timeout_seconds: 0.2, max_retries: 1 })
    await startProcess()
    expectUndisturbed(await whenFinal(sleepers))
    expect(await system.taskWhenFinal(id)).toMatchObject({
      status: 'SUCCESS',
      attempt: 2,
      attempts: [{ error: { name: 'TimeoutError' } }],
    })
    expect(await first.terminate()).toBe(0)
  })

  test('after an error of unknown origin the worker lets them finish within its grace period, and exits with 1', async () => {
    const first = await startProcess()
    const sleepers = await startSleepers(3_000)
    const { id } = await system.submit('shared_throw', {}, { max_retries: 0 })
    await startProcess()
    expectUndisturbed(await whenFinal(sleepers))
    expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS', attempt: 1 })
    expect(await first.ended).toBe(1)
  })

  test('after an error of unknown origin the worker releases those that run longer than its grace period', async () => {
    const first = await startProcess(300)
    const sleepers = await startSleepers(600_000, 10)
    await system.submit('shared_throw', {}, { max_retries: 0 })
    await startProcess()
    expect(await first.ended).toBe(1)
    expectUndisturbed(await whenFinal(sleepers), 2)
  })
})

test('a worker whose only slot has leaked exits with 1, and another worker runs the task', async () => {
  const first = await startProcess(10_000, { concurrency: 1 })
  const { id } = await system.submit('hang', {}, { timeout_seconds: 0.2, max_retries: 1 })
  expect(await first.ended).toBe(1)
  await startProcess()
  expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS', attempt: 2, failures: 1 })
})
