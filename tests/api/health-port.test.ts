// The health port of each role: it serves health checks and metrics only.
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { createHealthApp } from '../../src/api/health-app.ts'
import { createHealthChecks } from '../../src/api/health-checks.ts'
import { freePort } from '../../src/embedded/child-server.ts'
import { startRedisServer } from '../../src/embedded/redis-server.ts'
import type { WorkerStore } from '../../src/store/worker-store.ts'
import { createEvents } from '../../src/telemetry/events.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { createRunningTasks } from '../../src/worker/attempts/running-tasks.ts'
import { startHeartbeat } from '../../src/worker/heartbeat.ts'
import { killLeftovers, startMain } from '../support/main-process.ts'
import { scrape } from '../support/prometheus-text.ts'
import { startSystem, until } from '../support/system.ts'

const METHODS = ['GET', 'HEAD', 'POST', 'OPTIONS', 'PUT', 'DELETE', 'PATCH', 'PROPFIND']
const NO_POSTGRES = 'postgres://127.0.0.1:1/none'

afterEach(killLeftovers)

async function startWithHealth(command: string, settings: Record<string, string>) {
  const port = await freePort()
  const main = await startMain(command, { HEALTH_PORT: String(port), ...settings })
  return { ...main, healthUrl: `http://127.0.0.1:${port}` }
}

async function responseOf(url: string) {
  const response = await fetch(url)
  return { status: response.status, body: await response.json() }
}

// PGlite can be opened by one process only.
describe.skipIf(inject('postgresUrl') === null)('a worker process', () => {
  test('responds to health checks with every method, and counts the tasks that it ran', async () => {
    const system = await startSystem({ worker: false })
    onTestFinished(() => system.stop())
    const worker = await startWithHealth('worker', {
      DATABASE_URL: system.database.url,
      REDIS_URL: system.redis.url,
      WORKER_CONCURRENCY: '3',
    })
    for (const method of METHODS) {
      for (const path of ['/health', '/health/live', '/health/ready'])
        expect((await fetch(`${worker.healthUrl}${path}`, { method })).status).toBe(200)
    }
    await until(
      () => responseOf(`${worker.healthUrl}/health/ready`),
      ({ body }) => (body as { status: string }).status === 'ok',
    )
    await system.taskWhenFinal((await system.submit('reverse', { text: 'ab' })).id)

    const labels = { name: 'reverse', status: 'SUCCESS' }
    const metrics = await until(
      () => scrape(`${worker.healthUrl}/metrics`),
      ({ value }) => value('waggle_tasks_finished_total', labels) === 1,
    )
    expect(metrics.value('waggle_worker_slots')).toBe(3)
    // The API process accepted the task, not the worker.
    expect(metrics.value('waggle_tasks_accepted_total', { name: 'reverse', queue: 'default' })).toBe(0)
    expect(metrics.value('waggle_queue_waiting_tasks', { queue: 'default' })).toBe(0)
    expect((await fetch(`${worker.healthUrl}/metrics`, { method: 'HEAD' })).status).toBe(200)
    expect((await fetch(`${worker.healthUrl}/v1/tasks`)).status).toBe(404)
    expect(await worker.end('SIGTERM')).toBe(0)
  })
})

test.each(['api', 'worker'])(
  'without Postgres an %s process is live and not ready, and has metrics',
  async (role) => {
    const redis = await startRedisServer()
    onTestFinished(() => redis.stop())
    const { healthUrl, end } = await startWithHealth(role, {
      DATABASE_URL: NO_POSTGRES,
      REDIS_URL: redis.url,
    })
    expect(await responseOf(`${healthUrl}/health/live`)).toEqual({ status: 200, body: { status: 'ok' } })
    expect(await responseOf(`${healthUrl}/health/ready`)).toEqual({
      status: 503,
      body: { status: 'unavailable', reason: 'Postgres cannot be reached' },
    })
    const metrics = await scrape(`${healthUrl}/metrics`)
    expect(metrics.status).toBe(200)
    expect(metrics.series('waggle_queue_waiting_tasks')).toEqual([])
    expect(metrics.value('waggle_tasks_accepted_total', { name: 'reverse', queue: 'default' })).toBe(0)
    expect(await end('SIGTERM')).toBe(0)
  },
)

test('a worker process whose heartbeat hangs is not live', async () => {
  const redis = await startRedisServer()
  // This server accepts connections and sends nothing, so a heartbeat takes longer than
  // WORKER_MISSING_AFTER_SECONDS.
  const unresponsive = createServer()
  unresponsive.listen(0, '127.0.0.1')
  await once(unresponsive, 'listening')
  onTestFinished(async () => {
    unresponsive.close()
    await redis.stop()
  })
  // The address of a TCP server is an AddressInfo.
  const { port } = unresponsive.address() as AddressInfo
  const { healthUrl } = await startWithHealth('worker', {
    DATABASE_URL: `postgres://127.0.0.1:${port}/none`,
    REDIS_URL: redis.url,
    WORKER_MISSING_AFTER_SECONDS: '3',
  })
  expect((await responseOf(`${healthUrl}/health/live`)).status).toBe(200)
  await until(
    () => responseOf(`${healthUrl}/health/live`),
    ({ status }) => status === 503,
  )
  expect((await responseOf(`${healthUrl}/health`)).status).toBe(200)
  expect((await scrape(`${healthUrl}/metrics`)).status).toBe(200)
})

test('the dev process serves the metrics of the API and the worker on both ports', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'waggle-data-'))
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }))
  const { url, healthUrl, end, output } = await startWithHealth('dev', { DATA_DIR: dataDir })
  expect(output()).toContain('is ready')
  await fetch(`${url}/notify`, { method: 'POST', body: new URLSearchParams({ email: 'ada@example.com' }) })
  for (const port of [url, healthUrl]) {
    const metrics = await scrape(`${port}/metrics`)
    expect(metrics.value('waggle_tasks_accepted_total', { name: 'notify', queue: 'default' })).toBe(1)
    expect(metrics.value('waggle_worker_slots')).toBe(20)
  }
  expect(await end('SIGTERM')).toBe(0)
})

test('a worker whose health port is taken prints one line and exits before it starts', async () => {
  const redis = await startRedisServer()
  onTestFinished(() => redis.stop())
  const taken = new URL(redis.url).port
  const settings = { DATABASE_URL: NO_POSTGRES, REDIS_URL: redis.url, HEALTH_PORT: taken }
  const worker = await startMain('worker', settings)
  expect(await worker.ended).toBe(1)
  expect(worker.output()).toMatch(
    new RegExp(`^Cannot listen on port ${taken} of 127.0.0.1: .*EADDRINUSE.*\\n$`),
  )
})

describe('the liveness of a worker', () => {
  test('holds while heartbeats are tried, and ends when a heartbeat hangs', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    let beat: WorkerStore['beat'] = () => Promise.reject(new Error('unavailable'))
    const heartbeat = startHeartbeat({
      worker: {
        id: 'a',
        host: 'b',
        pid: 1,
        version: 'test',
        queues: [],
        concurrency: 1,
        isolatedProcesses: 0,
      },
      // The heartbeat uses only this function of the store.
      store: { beat: (given) => beat(given) } as WorkerStore,
      signals: { publish: () => {}, listen: () => () => {}, reconnect: () => {}, stop: async () => {} },
      prepare: async () => {},
      running: createRunningTasks(),
      slots: { leaked: 0 },
      counts: { processed: 0, failed: 0 },
      lastBlockedBeatMs: () => 0,
      onDraining: () => {},
      events: createEvents(),
      intervalMs: 1_000,
      missingAfterMs: 15_000,
    })
    await vi.advanceTimersByTimeAsync(60_000)
    expect(heartbeat.isBeating()).toBe(true)
    beat = () => new Promise(() => {})
    await vi.advanceTimersByTimeAsync(15_000)
    expect(heartbeat.isBeating()).toBe(true)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(heartbeat.isBeating()).toBe(false)
  })

  test('is checked by /health/live; /health always responds with 200', async () => {
    const events = createEvents()
    const metrics = createMetrics(events, { definitions: [], summarizeQueues: async () => [] })
    const health = { pingDatabase: async () => {}, isRedisReady: () => true, isLive: () => false }
    const app = createHealthApp(createHealthChecks(health), metrics, events)
    const live = await app.request('/health/live')
    expect([live.status, await live.json()]).toEqual([
      503,
      { status: 'unavailable', reason: 'The heartbeat of the worker has stopped' },
    ])
    const response = await app.request('/health', { headers: { 'X-Request-Id': 'probe-1' } })
    expect(response.status).toBe(200)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'x-request-id': 'probe-1',
      'x-content-type-options': 'nosniff',
    })
  })
})
