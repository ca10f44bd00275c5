// The hooks of a project: called after the end of an attempt is stored.
import { fileURLToPath } from 'node:url'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { defineConfig } from 'waggle-tasks'
import { z } from 'zod'
import { pause } from '../../src/base/loop.ts'
import { defineTask } from '../../src/definitions/define.ts'
import type { AttemptErrorEvent, AttemptEvent, Hooks } from '../../src/definitions/hooks.ts'
import type { Services } from '../../src/definitions/services.ts'
import { createIsolatedDefinitions, ISOLATED_SCRIPT } from '../support/isolated-definitions.ts'
import { killLeftovers, startMain } from '../support/main-process.ts'
import { startSystem, until } from '../support/system.ts'
import { createTestDefinitions } from '../support/test-definitions.ts'
import { spawnWorker } from '../support/worker-process.ts'

// The last test starts several processes.
vi.setConfig({ testTimeout: 180_000 })
afterEach(killLeftovers)

const fails = defineTask({
  name: 'fails',
  title: 'Fails',
  description: 'Fails in its first attempts.',
  input: z.object({ times: z.number() }),
  output: z.unknown(),
  example: { times: 1 },
  backoff: { baseMs: 10, capMs: 10 },
  async run({ times }, { attempt }) {
    if (attempt <= times) throw new RangeError(`failure ${attempt}`)
    return 'done'
  },
})

const SERVICES = { reporter: {} } as unknown as Services

type Call = [name: keyof Hooks, event: AttemptEvent | AttemptErrorEvent]

/** Starts a system whose hooks record their calls. */
async function start(own: Hooks = {}) {
  const calls: Call[] = []
  const record = (name: keyof Hooks) => (event: AttemptEvent) => void calls.push([name, event])
  const hooks: Hooks = {
    onAttemptError: record('onAttemptError'),
    onFailure: record('onFailure'),
    onSuccess: record('onSuccess'),
    ...own,
  }
  const system = await startSystem({
    definitions: [fails, ...createTestDefinitions(), ...createIsolatedDefinitions()],
    worker: { hooks, services: SERVICES, isolated: { script: ISOLATED_SCRIPT, processes: 1 } },
  })
  onTestFinished(() => system.stop())
  const called = (count: number) =>
    until(
      async () => calls,
      ({ length }) => length >= count,
    )
  return { system, calls, called }
}

test('each failed attempt calls onAttemptError, and the end of the task onSuccess', async () => {
  const { system, called } = await start()
  const { id } = await system.submit('fails', { times: 1 }, { tags: ['a', 'b'] })
  const requestId = (await system.task(id)).request_id
  const [first, second] = await called(2)
  expect(first).toEqual([
    'onAttemptError',
    {
      task: { id, name: 'fails', queue: 'default', attempt: 1, tags: ['a', 'b'], requestId },
      error: {
        name: 'RangeError',
        message: 'failure 1',
        stack: expect.stringMatching(/^RangeError: failure 1\n.*hooks\.test\.ts/),
      },
      willRetry: true,
      services: SERVICES,
      log: expect.any(Function),
    },
  ])
  expect(second).toMatchObject(['onSuccess', { task: { id, attempt: 2 } }])
  expect(second?.[1]).not.toHaveProperty('error')
})

test('the last failed attempt calls onAttemptError and onFailure when the task has ended', async () => {
  const statuses: string[] = []
  const { system, called } = await start({
    async onFailure({ task }) {
      statuses.push((await system.task(task.id)).status)
    },
  })
  const { id } = await system.submit('fails', { times: 9 }, { max_retries: 0 })
  const [call] = await called(1)
  expect(call).toMatchObject(['onAttemptError', { task: { id, attempt: 1 }, willRetry: false }])
  await until(
    async () => statuses,
    ([status]) => status === 'FAILURE',
  )
})

test('an isolated attempt that throws has a stack, and one whose process crashes has none', async () => {
  const { system, called } = await start({ onFailure: undefined })
  await system.submit('isolated_fault', { fault: 'throw' })
  const [thrown] = await called(1)
  expect(thrown).toMatchObject([
    'onAttemptError',
    { error: { message: 'as requested', stack: expect.stringContaining('isolated-definitions.ts') } },
  ])
  await system.submit('isolated_fault', { fault: 'exit' })
  const [, crashed] = await called(2)
  const error = { name: 'ProcessCrashed', message: expect.any(String), stack: undefined }
  expect(crashed?.[1]).toMatchObject({ error, willRetry: false })
})

test('a cancelled task calls no hook', async () => {
  const { system, calls, called } = await start()
  const { id } = await system.submit('sleep', { ms: 60_000 })
  await system.taskWhen(id, ({ status }) => status === 'STARTED')
  await system.request('POST', `/v1/tasks/${id}/cancel`)
  await system.taskWhenFinal(id)
  const { id: other } = await system.submit('sleep', { ms: 1 })
  await called(1)
  expect(calls.map(([name, { task }]) => [name, task.id])).toEqual([['onSuccess', other]])
})

test('errors of a hook are logged with its name and stop nothing', async () => {
  const { system, called } = await start({
    onAttemptError() {
      throw new Error('hook failed')
    },
    onFailure: () => Promise.reject(new Error('hook rejected')),
  })
  await system.submit('fails', { times: 1 }, { max_retries: 0 })
  const errors = await until(
    async () => system.emitted('error.unexpected').filter(({ where }) => where.startsWith('hook ')),
    ({ length }) => length === 2,
  )
  expect(errors.map(({ where, error }) => [where, (error as Error).message])).toEqual([
    ['hook onAttemptError', 'hook failed'],
    ['hook onFailure', 'hook rejected'],
  ])
  const { id } = await system.submit('fails', { times: 0 })
  await system.taskWhenFinal(id)
  await called(1)
})

test('a hook that hangs keeps no slot, and delays the stop of the worker by seconds only', async () => {
  const { system } = await start({ onSuccess: () => new Promise(() => {}) })
  const worker = system.startWorker({ concurrency: 1, hooks: { onSuccess: () => new Promise(() => {}) } })
  const tasks = await Promise.all(Array.from({ length: 10 }, () => system.submit('fails', { times: 0 })))
  for (const { id } of tasks) expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS' })
  const startedMs = performance.now()
  await worker.stop(60_000)
  expect(performance.now() - startedMs).toBeLessThan(30_000)
})

test('a stopping worker waits for hooks that run', async () => {
  const hook = Promise.withResolvers<void>()
  const stopping = Promise.withResolvers<void>()
  const { system } = await start({ onSuccess: () => {} })
  system.events.on('worker.stopping', () => stopping.resolve())
  let hasEnded = false
  const worker = system.startWorker({
    queues: ['own'],
    hooks: {
      async onSuccess() {
        hook.resolve()
        await stopping.promise
        // So long that the worker would have stopped without the hook.
        await pause(500)
        hasEnded = true
      },
    },
  })
  await system.submit('fails', { times: 0 }, { queue: 'own' })
  await hook.promise
  await worker.stop(1_000)
  expect(hasEnded).toBe(true)
})

test('a lost attempt calls onAttemptError in the worker that puts it back', async (context) => {
  const { system, called } = await start()
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  const lost = await spawnWorker(system, { queues: ['lost'] })
  onTestFinished(() => lost.kill())
  const { id } = await system.submit('sleep', { ms: 60_000, laterMs: 1 }, { queue: 'lost', tags: ['t'] })
  await system.taskWhen(id, ({ status }) => status === 'STARTED')
  await lost.kill()
  const [call] = await called(1)
  expect(call).toMatchObject([
    'onAttemptError',
    { task: { id, queue: 'lost', tags: ['t'] }, error: { name: 'WorkerLost' }, willRetry: true },
  ])
})

test('a crashed worker process: the next one calls onAttemptError for its attempts', async (context) => {
  const system = await startSystem({ worker: false, definitions: [{ ...fails, name: 'crash' }] })
  onTestFinished(() => system.stop())
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  const worker = await startMain('worker', {
    DATABASE_URL: system.database.url,
    REDIS_URL: system.redis.url,
    WAGGLE_CONFIG: fileURLToPath(new URL('../support/hooks-project/waggle.config.ts', import.meta.url)),
  })
  const { id } = await system.submit('crash', { times: 0 }, { max_retries: 0 })
  const hookLines = () => worker.logged().filter(({ hook }) => hook !== undefined)
  const lines = await until(
    async () => hookLines(),
    ({ length }) => length >= 3,
    120,
  )
  const task = { id, name: 'crash', queue: 'default', tags: [] }
  const services = { reporter: 'a reporter' }
  expect(
    lines.toSorted((a, b) => attemptOf(a) - attemptOf(b) || (a.msg === 'failure' ? 1 : -1)),
  ).toMatchObject([
    {
      msg: 'attempt error',
      error: 'WorkerCrashed',
      willRetry: true,
      services,
      task: { ...task, attempt: 1 },
    },
    {
      msg: 'attempt error',
      error: 'ProcessCrashed',
      willRetry: false,
      services,
      task: { ...task, attempt: 2 },
    },
    { msg: 'failure', error: 'ProcessCrashed', task: { ...task, attempt: 2 } },
  ])
})

const attemptOf = ({ task }: Record<string, unknown>) => (task as { attempt: number }).attempt

test.each([
  [{ onFail: () => {} }, 'hooks.onFail is unknown: expected onAttemptError, onFailure, onSuccess'],
  [{ onFailure: 'log' }, 'hooks.onFailure must be a function'],
  ['log', 'hooks must be an object'],
])('defineConfig refuses the hooks %j', (hooks, message) => {
  expect(() => defineConfig({ tasks: [], hooks: hooks as Hooks })).toThrow(`defineConfig: ${message}`)
})
