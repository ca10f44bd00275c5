// Ends of attempts that come too late: the task goes on without them, and the API shows them with the
// attempt.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineTask, type TaskContext } from '../../src/definitions/define.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createRunRecorder, createTestDefinitions } from '../support/test-definitions.ts'
import { spawnWorker } from '../support/worker-process.ts'

interface Attempt extends PromiseWithResolvers<unknown> {
  context: TaskContext
}

/** The attempts that run now. */
let attempts: Attempt[]
const controlled = defineTask({
  name: 'controlled',
  title: 'Ends as the test wants it',
  description: 'for tests',
  input: z.object({}),
  output: z.unknown(),
  example: {},
  run(_, context) {
    const attempt = { ...Promise.withResolvers<unknown>(), context }
    attempts.push(attempt)
    return attempt.promise
  },
})

const LOST = { name: 'WorkerLost', message: 'worker lost during attempt 1', retryable: true }
const GRACE_MS = 300

let system: TestSystem
beforeEach(() => {
  attempts = []
})
afterEach(() => system.stop())

async function start(abortGraceMs = 600_000) {
  const worker = { abortGraceMs, heartbeatMs: 100, concurrency: 3 }
  system = await startSystem({ worker, definitions: [controlled, ...createTestDefinitions()] })
}

/** Starts an attempt. */
async function started(options?: object): Promise<{ id: string; attempt: Attempt }> {
  const { id } = await system.submit('controlled', {}, options)
  await until(
    async () => attempts.length,
    (count) => count > 0,
  )
  return { id, attempt: attempts[0] as Attempt }
}

/** Ends the attempt as a reconciler does after the worker was missing; the next attempt waits for an hour. */
async function lose(id: string) {
  const { worker_id: workerId } = await system.taskWhen(id, ({ status }) => status === 'STARTED')
  const decision = { status: 'RETRY' as const, error: LOST, failures: 1, delayMs: 3_600_000 }
  await system.connections.taskStore.finishMany([{ id, attempt: 1, workerId, decision }])
}

const isAborted = ({ context: { signal } }: Attempt) => until(async () => signal.aborted, Boolean)

const whenRefused = () =>
  until(
    async () => system.emitted('task.refused').length,
    (count) => count === 1,
  )

const refusedOf = async (id: string) => (await system.task(id)).attempts.map(({ refused }) => refused)

describe('the end of a lost attempt', () => {
  test('is kept with its result and its log, and changes nothing else', async () => {
    await start()
    const { id, attempt } = await started()
    await lose(id)
    attempt.context.log('after the loss', { step: 2 })
    await isAborted(attempt)
    attempt.resolve({ good: 12345678901234567890n })
    await whenRefused()
    const text = await (await fetch(`${system.url}/v1/tasks/${id}`)).text()
    expect(text).toContain('"result":{"good":12345678901234567890}')
    expect(await system.task(id)).toMatchObject({
      status: 'RETRY',
      result: null,
      error: LOST,
      attempts: [
        {
          attempt: 1,
          error: LOST,
          refused: {
            at: expect.any(String),
            status: 'SUCCESS',
            result_excerpt: null,
            error: null,
            log: [{ at: expect.any(String), message: 'after the loss {"step":2}' }],
          },
        },
      ],
    })
    expect(system.emitted('task.finished')).toEqual([])
  })

  test('is read by a client that knows the ETag from before', async () => {
    await start()
    const { id, attempt } = await started()
    await lose(id)
    const { headers } = await system.request('GET', `/v1/tasks/${id}`)
    attempt.resolve(1)
    await whenRefused()
    const known = { 'If-None-Match': headers.get('etag') ?? '' }
    expect((await system.request('GET', `/v1/tasks/${id}`, undefined, known)).status).toBe(200)
  })

  test('is kept with an error that its code has thrown after the abort', async () => {
    await start()
    const { id, attempt } = await started()
    await lose(id)
    await isAborted(attempt)
    attempt.reject(new TypeError('own error'))
    await whenRefused()
    expect(await refusedOf(id)).toMatchObject([
      { status: 'PENDING', result: null, error: { name: 'TypeError', message: 'own error' }, log: [] },
    ])
  })

  test('is not kept if it is only the abort', async () => {
    await start()
    const { id, attempt } = await started()
    await lose(id)
    await isAborted(attempt)
    attempt.reject(attempt.context.signal.reason)
    await whenRefused()
    expect(await refusedOf(id)).toEqual([null])
  })

  test('is kept as its first 16 KiB if the result is larger, and with the last 100 lines of its log', async () => {
    await start()
    const { id, attempt } = await started()
    for (let line = 0; line < 1_500; line++) attempt.context.log(`line ${line}`)
    await lose(id)
    attempt.resolve('ä'.repeat(100_000))
    await whenRefused()
    const [refused] = await refusedOf(id)
    expect(refused).toMatchObject({ status: 'SUCCESS', result: null })
    expect(refused?.result_excerpt).toBe(`"${'ä'.repeat(8_191)}`)
    expect(refused?.log.map(({ message }) => message)).toEqual(
      Array.from({ length: 100 }, (_, line) => `line ${line + 1_400}`),
    )
  })

  test('is kept also if its handler ignores the abort, when it returns', async () => {
    await start(GRACE_MS)
    const { id, attempt } = await started()
    await lose(id)
    await until(
      async () => system.emitted('slot.leaked').length,
      (count) => count === 1,
    )
    expect(await refusedOf(id)).toEqual([null])
    attempt.context.log('still here')
    attempt.resolve('at last')
    await whenRefused()
    expect(await refusedOf(id)).toMatchObject([{ result: 'at last', log: [{ message: 'still here' }] }])
  })

  test('is kept after a failed write, and its slot is free meanwhile', async () => {
    await start()
    const { taskStore } = system.connections
    const { recordRefusedMany } = taskStore
    const failing = Promise.withResolvers<never>()
    let writes = 0
    taskStore.recordRefusedMany = (ends) => (++writes === 1 ? failing.promise : recordRefusedMany(ends))
    system.startWorker({ queues: ['other'], concurrency: 1, abortGraceMs: 600_000, heartbeatMs: 100 })
    const { id, attempt } = await started({ queue: 'other' })
    await lose(id)
    attempt.resolve('kept')
    // The only slot of the worker runs another task.
    await system.taskWhenFinal((await system.submit('reverse', { text: 'ab' }, { queue: 'other' })).id)
    expect(await refusedOf(id)).toEqual([null])
    failing.reject(new Error('connection lost'))
    await whenRefused()
    expect(system.emitted('error.transient')).toMatchObject([{ where: 'keeping a refused end' }])
    expect(await refusedOf(id)).toMatchObject([{ result: 'kept' }])
  })
})

test('the result of a handler that was given up after a timeout is kept', async () => {
  await start(GRACE_MS)
  const { id, attempt } = await started({ timeout_seconds: 0.5, max_retries: 0 })
  attempt.context.log('in time')
  expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'FAILURE', attempts: [{ refused: null }] })
  attempt.resolve('late')
  await whenRefused()
  expect(await system.task(id)).toMatchObject({
    status: 'FAILURE',
    result: null,
    attempts: [
      { attempt: 1, error: { name: 'TimeoutError' }, refused: { status: 'SUCCESS', result: 'late' } },
    ],
  })
})

test('an end whose first write was accepted counts as finished, although its response was lost', async () => {
  system = await startSystem({ worker: false, definitions: createTestDefinitions() })
  const { taskStore } = system.connections
  const { finishMany } = taskStore
  let writes = 0
  taskStore.finishMany = async (finishes) => {
    const statuses = await finishMany(finishes)
    if (++writes === 1) throw new Error('connection lost')
    return statuses
  }
  system.startWorker()
  const { id } = await system.submit('reverse', { text: 'ab' })
  await until(
    async () => system.emitted('task.finished').length,
    (count) => count === 1,
  )
  expect(system.emitted('task.finished')).toMatchObject([{ taskId: id, status: 'SUCCESS' }])
  expect(system.emitted('task.refused')).toEqual([])
  expect(await system.task(id)).toMatchObject({ status: 'SUCCESS', attempts: [] })
})

test('a worker that was stopped for a while keeps the result that it has computed twice', async (context) => {
  system = await startSystem({ worker: false, definitions: createTestDefinitions() })
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  const recorder = await createRunRecorder(system.database.url)
  const options = { missingAfterMs: 1_000, heartbeatMs: 200 }
  const stopped = await spawnWorker(system, options)
  const { id } = await system.submit('ignores_signal', { ms: 1_000 })
  await until(
    () => recorder.all(),
    (runs) => runs.length === 1,
  )
  process.kill(stopped.pid, 'SIGSTOP')
  system.startWorker(options)
  expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS', attempt: 2, result: 2 })
  process.kill(stopped.pid, 'SIGCONT')
  const task = await system.taskWhen(id, ({ attempts }) => attempts.some(({ refused }) => refused !== null))
  expect(task).toMatchObject({
    status: 'SUCCESS',
    result: 2,
    attempts: [{ attempt: 1, error: { name: 'WorkerLost' }, refused: { status: 'SUCCESS', result: 1 } }],
  })
  await stopped.terminate()
  await recorder.close()
})
