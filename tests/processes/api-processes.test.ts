// The command `api` with several processes, and `dev` with processes.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { freePort } from '../../src/embedded/child-server.ts'
import { killLeftovers, startMain } from '../support/main-process.ts'
import { descendantsOf, isAlive, processesOf } from '../support/process-tree.ts'
import { scrape } from '../support/prometheus-text.ts'
import { submitReverse } from '../support/submit-reverse.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'

// Each test starts several processes.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

afterEach(killLeftovers)

describe('with a Postgres server', () => {
  let system: TestSystem
  let servers: Record<string, string>
  beforeEach(async (context) => {
    system = await startSystem({ worker: false })
    servers = { DATABASE_URL: system.database.url, REDIS_URL: system.redis.url }
    if (!system.database.isServer) context.skip('PGlite can be opened by one process only')
  })
  afterEach(async () => {
    killLeftovers()
    await system.stop()
  })

  test('processes share the port, and /metrics on both ports counts the requests of all', async () => {
    const port = await freePort()
    const api = await startMain('api', { ...servers, API_PROCESSES: '2', HEALTH_PORT: String(port) })
    expect(api.output()).toContain(`API is ready: ${api.url}\n`)
    expect(processesOf(api.pid, 'api')).toHaveLength(2)
    // A new connection each: the supervisor passes connections to the processes in turn.
    for (let count = 0; count < 8; count++) {
      const { status } = await fetch(`${api.url}/v1/definitions`, { headers: { Connection: 'close' } })
      expect(status).toBe(200)
    }
    const labels = { method: 'GET', route: '/v1/definitions', status: '200' }
    for (const url of [api.url, `http://127.0.0.1:${port}`]) {
      const { value } = await scrape(`${url}/metrics`)
      expect(value('waggle_http_request_duration_seconds_count', labels)).toBe(8)
    }
    const ready = await fetch(`http://127.0.0.1:${port}/health/ready`)
    expect([ready.status, await ready.json()]).toEqual([200, { status: 'ok' }])
    expect(await api.end('SIGTERM')).toBe(0)
  })

  test('SIGHUP to an API with one process is logged and changes nothing', async () => {
    const api = await startMain('api', servers)
    process.kill(api.pid, 'SIGHUP')
    await until(
      async () => api.output(),
      (text) => text.includes('a rolling restart needs API_PROCESSES above 1'),
    )
    await submitReverse(api.url)
    expect(await api.end('SIGTERM')).toBe(0)
  })

  test('dev runs API and worker processes with its own Redis, and leaves nothing running', async () => {
    const { REDIS_URL: _, ...withoutRedis } = servers
    const dev = await startMain('dev', { ...withoutRedis, API_PROCESSES: '2', WORKER_PROCESSES: '2' })
    expect(dev.outputWithoutTransientErrors()).toBe(`Waggle is ready: ${dev.url}\n`)
    const id = await submitReverse(dev.url)
    await until(
      async () => (await fetch(`${dev.url}/v1/tasks/${id}?wait=20`)).json() as Promise<{ status: string }>,
      ({ status }) => status === 'SUCCESS',
    )
    const { value } = await scrape(`${dev.url}/metrics`)
    expect(value('waggle_tasks_accepted_total', { name: 'reverse', queue: 'default' })).toBe(1)
    expect(value('waggle_worker_slots')).toBe(40)
    const pids = descendantsOf(dev.pid)
    expect(pids.length).toBeGreaterThan(4)
    expect(await dev.end('SIGINT')).toBe(0)
    expect(pids.filter(isAlive)).toEqual([])
  })
})

test('dev with several processes refuses the embedded database, with an error that names the settings', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'waggle-data-'))
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }))
  const dev = await startMain('dev', { DATA_DIR: dataDir, WORKER_PROCESSES: '2' })
  expect(await dev.ended).toBe(1)
  expect(dev.output()).toMatch(
    /^API_PROCESSES or WORKER_PROCESSES is above 1, which needs a Postgres server: .*Set DATABASE_URL/,
  )
})
