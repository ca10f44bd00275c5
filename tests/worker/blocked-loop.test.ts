// Handlers that compute without a pause: their worker is not lost, and those that never end are ended.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createRunRecorder, createTestDefinitions, type RunRecorder } from '../support/test-definitions.ts'
import { spawnWorker, type WorkerProcess } from '../support/worker-process.ts'

let system: TestSystem
let recorder: RunRecorder
beforeAll(async () => {
  system = await startSystem({ worker: false, definitions: createTestDefinitions() })
  recorder = await createRunRecorder(system.database.url)
})
afterAll(async () => {
  await recorder.close()
  await system.stop()
})

// Each test uses a queue of its own, so that workers of other tests run none of its tasks.
let queues = 0
function newQueue(): string {
  return `queue-${++queues}`
}

async function start(
  queue: string,
  options: Parameters<typeof spawnWorker>[1] = {},
  nodeOptions: string[] = [],
): Promise<WorkerProcess> {
  const worker = await spawnWorker(system, { ...INTERVALS, queues: [queue], ...options }, 100, nodeOptions)
  onTestFinished(() => worker.kill())
  return worker
}

// Long enough for a busy machine, on which the thread of the watchdog needs a second to load the driver.
const INTERVALS = { missingAfterMs: 3_000, heartbeatMs: 500 }

test.for(['after a pause', 'at once', 'native'])(
  'a task that computes longer than the missing time (%s) runs once and keeps its result',
  async (kind, context) => {
    if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
    const queue = newQueue()
    const computing = await start(queue)
    const { id } = await system.submit('block', { ms: 5_000, kind }, { queue, max_retries: 0 })
    await system.taskWhen(id, ({ status }) => status === 'STARTED')
    const other = await start(queue)
    expect(await system.taskWhenFinal(id)).toMatchObject({
      status: 'SUCCESS',
      attempt: 1,
      result: 1,
      attempts: [],
    })
    expect(other.logged().filter(({ msg }) => /lost/.test(msg))).toEqual([])
    const { body } = await system.request('GET', `/v1/tasks/${id}/logs`)
    expect(body).toMatchObject({
      data: [
        {
          attempt: 1,
          message: expect.stringMatching(
            /^This attempt blocked the event loop of its worker for \d+ s, and delayed other tasks: consider `isolate: true`$/,
          ),
          fields: {
            blocked_ms: expect.any(Number),
            at: expect.stringMatching(/^(compute|run) tests\/support\/test-definitions.ts:\d+$/),
          },
        },
      ],
    })
    const warnings = computing.logged().filter(({ msg }) => /event loop/.test(msg))
    expect(warnings).toEqual([expect.objectContaining({ level: 40, taskId: id, name: 'block', attempt: 1 })])
  },
)

test('a handler that blocks the loop beyond its timeout is ended with its process, and its tasks run again', async (context) => {
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  const queue = newQueue()
  const worker = await start(queue, { blockGraceMs: 1_000 })
  const other = await system.submit('sleep', { ms: 60_000, laterMs: 1 }, { queue })
  await system.taskWhen(other.id, ({ status }) => status === 'STARTED')
  const endless = await system.submit('block', { ms: 3_600_000 }, { queue, timeout_seconds: 1 })
  expect(await worker.ended).toBe('SIGKILL')
  expect(worker.logged().filter(({ msg }) => /killed/.test(msg))).toEqual([
    expect.objectContaining({
      level: 60,
      role: 'worker',
      taskId: endless.id,
      name: 'block',
      attempt: 1,
      blockedSeconds: expect.any(Number),
      frames: expect.arrayContaining([expect.stringMatching(/^compute tests/)]),
    }),
  ])
  await start(queue, { missingAfterMs: 2_000 })
  for (const { id } of [other, endless])
    expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS', attempt: 2 })
})

test('native code that never returns is ended when all running attempts are beyond their timeouts', async (context) => {
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  const queue = newQueue()
  const worker = await start(queue, { blockGraceMs: 1_000 })
  await system.submit('block', { ms: 20_000, kind: 'native' }, { queue, timeout_seconds: 1 })
  expect(await worker.ended).toBe('SIGKILL')
})

test('a process that can be debugged is not ended', async (context) => {
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  const queue = newQueue()
  const worker = await start(queue, { blockGraceMs: 500 }, ['--inspect=127.0.0.1:0'])
  const { id } = await system.submit('block', { ms: 4_500 }, { queue, timeout_seconds: 1 })
  // Its timeout has passed, but its handler returns a result.
  expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS', attempt: 1 })
  expect(worker.logged().filter(({ msg }) => /killed/.test(msg))).toEqual([])
})

test('an answer that arrives during a block comes in time, and no connection counts as broken', async (context) => {
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  const queue = newQueue()
  const worker = await start(queue)
  const server = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const waiting = await system.submit(
    'wait_for_answer',
    { port },
    { queue, timeout_seconds: 3, max_retries: 0 },
  )
  const [socket] = await once(server, 'connection')
  const blocker = await system.submit('block', { ms: 7_000 }, { queue })
  await until(recorder.all, (runs) => runs.some(({ task_id }) => task_id === blocker.id))
  socket.write('answer')
  expect(await system.taskWhenFinal(waiting.id)).toMatchObject({ status: 'SUCCESS', result: 'answer' })
  expect(await system.taskWhenFinal(blocker.id)).toMatchObject({ status: 'SUCCESS', attempt: 1 })
  expect(worker.logged().filter(({ msg }) => /transient/.test(msg))).toEqual([])
})

test('tasks of one claim behind a handler that blocks at once are released without using a retry', async (context) => {
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  const queue = newQueue()
  const task = { name: 'block', input: { ms: 2_500, kind: 'at once' }, options: { queue } }
  const { body } = await system.request('POST', '/v1/tasks/batch', {
    tasks: [task, task, task, task],
  })
  const ids = (body as { items: { id: string }[] }).items.map(({ id }) => id)
  await start(queue)
  const ended = await Promise.all(ids.map(system.taskWhenFinal))
  expect(ended.map(({ status, failures }) => [status, failures])).toEqual(ids.map(() => ['SUCCESS', 0]))
  // Without the release all tasks would end in their first attempt.
  expect(ended.map(({ attempt }) => attempt)).toContain(2)
})

test('a block is counted by definition', async () => {
  const queue = newQueue()
  system.startWorker({ queues: [queue], missingAfterMs: 15_000 })
  const { id } = await system.submit('block', { ms: 2_500, kind: 'at once' }, { queue })
  expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS' })
  expect(system.emitted('loop.blocked').filter(({ name }) => name !== undefined)).toEqual([
    expect.objectContaining({ taskId: id, name: 'block', attempt: 1 }),
  ])
  const metrics = await (await fetch(`${system.url}/metrics`)).text()
  expect(metrics).toContain('waggle_event_loop_blocked_seconds_count{name="block"} 1')
})

test('a worker process ends with its parent, even if it computes', async (context) => {
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  const queue = newQueue()
  const parent = spawn(process.execPath, [
    fileURLToPath(new URL('../support/worker-parent.ts', import.meta.url)),
    system.database.url,
    system.redis.url,
    queue,
  ])
  onTestFinished(() => void parent.kill('SIGKILL'))
  const pid = Number(String((await once(parent.stdout, 'data'))[0]))
  const { id } = await system.submit('block', { ms: 30_000 }, { queue })
  await until(recorder.all, (runs) => runs.some(({ task_id }) => task_id === id))
  parent.kill('SIGKILL')
  await until(
    async () => isAlive(pid),
    (alive) => !alive,
    10,
  )
})

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
