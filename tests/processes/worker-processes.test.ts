// The command `worker` with several processes: tasks, signals, crashes, health and metrics.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { freePort } from '../../src/embedded/child-server.ts'
import { killLeftovers, type MainProcess, startMain } from '../support/main-process.ts'
import { isAlive, processesOf } from '../support/process-tree.ts'
import { scrape } from '../support/prometheus-text.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'

// Each test starts several processes.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

let system: TestSystem
beforeEach(async (context) => {
  system = await startSystem({ worker: false })
  if (!system.database.isServer) context.skip('PGlite can be opened by one process only')
})
afterEach(async () => {
  killLeftovers()
  await system.stop()
})

async function startWorkers(settings: Record<string, string> = {}) {
  const port = await freePort()
  const worker = await startMain('worker', {
    DATABASE_URL: system.database.url,
    REDIS_URL: system.redis.url,
    WORKER_PROCESSES: '2',
    WORKER_CONCURRENCY: '3',
    HEALTH_PORT: String(port),
    ...settings,
  })
  const healthUrl = `http://127.0.0.1:${port}`
  await untilLine(worker, 'all processes are ready')
  await untilReady(healthUrl)
  return { ...worker, healthUrl }
}

const statusOf = async (url: string) => (await fetch(url)).status

const untilReady = (healthUrl: string) =>
  until(
    () => statusOf(`${healthUrl}/health/ready`),
    (status) => status === 200,
  )

const linesWith = (worker: MainProcess, message: string) =>
  worker.logged().filter(({ msg }) => msg === message)

const untilLine = (worker: MainProcess, message: string) =>
  until(
    async () => linesWith(worker, message),
    (lines) => lines.length > 0,
  )

const untilGone = (pids: number[]) =>
  until(
    async () => pids.filter(isAlive),
    (alive) => alive.length === 0,
  )

test('two processes run tasks; SIGTERM stops both in order and leaves nothing', async () => {
  const worker = await startWorkers()
  // More tasks than one process has slots: each runs for some seconds.
  const tasks = await Promise.all(
    Array.from({ length: 6 }, (_, index) => system.submit('divide', { x: index, y: 4 })),
  )
  const ids = await until(
    async () =>
      new Set((await Promise.all(tasks.map(({ id }) => system.task(id)))).map((task) => task.worker_id)),
    (workers) => workers.size === 2 && !workers.has(null),
  )
  const started = linesWith(worker, 'worker started')
  expect(new Set(started.map(({ workerId }) => workerId))).toEqual(ids)
  expect(started.map(({ role, process }) => [role, process]).sort()).toEqual([
    ['worker', 1],
    ['worker', 2],
  ])
  const pids = processesOf(worker.pid, 'worker')
  expect(pids).toHaveLength(2)
  expect(await worker.end('SIGTERM')).toBe(0)
  expect(pids.filter(isAlive)).toEqual([])
  for (const { id } of tasks) {
    const { attempt, status } = await system.task(id)
    expect([attempt, status]).toEqual([1, 'SUCCESS'])
  }
  expect(await system.connections.workerStore.list()).toEqual([])
})

test('a process that is killed is logged and started again; health reports it; no counter decreases', async () => {
  const worker = await startWorkers()
  for (const text of ['a', 'b', 'c'])
    await system.taskWhenFinal((await system.submit('reverse', { text })).id)
  const labels = { name: 'reverse', status: 'SUCCESS' }
  const finished = async () =>
    (await scrape(`${worker.healthUrl}/metrics`)).value('waggle_tasks_finished_total', labels)
  await until(finished, (count) => count === 3)

  const [first = 0, second = 0] = processesOf(worker.pid, 'worker')
  process.kill(first, 'SIGKILL')
  const [line] = await untilLine(worker, 'a process has died')
  expect(line).toMatchObject({
    level: 50,
    role: 'worker-supervisor',
    pid: first,
    signal: 'SIGKILL',
    workerId: expect.any(String),
  })
  await untilReady(worker.healthUrl)
  const pids = processesOf(worker.pid, 'worker')
  expect([pids.length, pids.includes(first), pids.includes(second)]).toEqual([2, false, true])
  expect(await finished()).toBe(3)
  // A process that stops in order tells its last counters.
  process.kill(second, 'SIGTERM')
  await untilLine(worker, 'a process has stopped')
  await untilReady(worker.healthUrl)
  expect(await finished()).toBe(3)
  expect(await worker.end('SIGTERM')).toBe(0)
})

test('one port serves the health and the metrics of all processes', async () => {
  const worker = await startWorkers()
  await system.taskWhenFinal((await system.submit('reverse', { text: 'ab' })).id)
  await system.connections.queueStore.pause('default')
  const metrics = await until(
    () => scrape(`${worker.healthUrl}/metrics`),
    ({ value }) => value('waggle_queue_paused', { queue: 'default' }) === 1,
  )
  expect(metrics.value('waggle_worker_slots')).toBe(6)
  expect(metrics.value('waggle_tasks_finished_total', { name: 'reverse', status: 'SUCCESS' })).toBe(1)
  expect(metrics.value('waggle_queue_waiting_tasks', { queue: 'default' })).toBe(0)
  expect(await statusOf(`${worker.healthUrl}/health/live`)).toBe(200)
  expect(await statusOf(`${worker.healthUrl}/v1/tasks`)).toBe(404)
})

test('kill -9 of the supervisor ends all processes', async () => {
  const worker = await startWorkers()
  const pids = processesOf(worker.pid, 'worker')
  await worker.end('SIGKILL')
  await untilGone(pids)
})

test('a process that stops counts as live until it has ended, and SIGTERM to it starts another one', async () => {
  const worker = await startWorkers()
  const [first = 0] = processesOf(worker.pid, 'worker')
  process.kill(first, 'SIGTERM')
  await untilGone([first])
  await untilReady(worker.healthUrl)
  expect(processesOf(worker.pid, 'worker')).toHaveLength(2)
  expect(linesWith(worker, 'a process has died')).toEqual([])
})

test('a rolling restart replaces every process; the running tasks end in their attempt', async () => {
  const worker = await startWorkers()
  const before = processesOf(worker.pid, 'worker')
  const tasks = await Promise.all(
    Array.from({ length: 4 }, (_, index) => system.submit('divide', { x: index, y: 4 })),
  )
  process.kill(worker.pid, 'SIGHUP')
  process.kill(worker.pid, 'SIGHUP')
  await untilLine(worker, 'the rolling restart has ended')
  const after = processesOf(worker.pid, 'worker')
  expect([after.length, after.filter((pid) => before.includes(pid))]).toEqual([2, []])
  for (const { id } of tasks)
    expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS', failures: 0 })
  expect(await worker.end('SIGTERM')).toBe(0)
})

test('a worker that needs more than its memory limit from the start is reported, and keeps running', async () => {
  const worker = await startWorkers({ WORKER_PROCESSES: '1', WORKER_MAX_MEMORY_MB: '64' })
  await until(
    async () => worker.output(),
    (text) => text.includes('WORKER_MAX_MEMORY_MB is too low'),
  )
  expect(await worker.end('SIGTERM')).toBe(0)
})

test('a first start that fails writes its error once and ends the command', async () => {
  const { database } = system.connections
  const { sql } = await import('../../src/store/drizzle.ts')
  await database.query(sql`update drizzle.__drizzle_migrations set created_at = created_at - 1`)
  const worker = await startMain('worker', {
    DATABASE_URL: system.database.url,
    REDIS_URL: system.redis.url,
    WORKER_PROCESSES: '3',
  })
  expect(await worker.ended).toBe(1)
  expect(worker.output().match(/created by an earlier version/g)).toHaveLength(1)
})
