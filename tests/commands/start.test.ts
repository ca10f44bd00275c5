// The commands, started as real processes: everything in one process (dev), and one process per role.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { createApiKey } from '../../src/api/http/api-keys.ts'
import { pause } from '../../src/base/loop.ts'
import { type RedisServer, startRedisServer } from '../../src/embedded/redis-server.ts'
import { createUsedData } from '../support/embedded-data.ts'
import { startTestServer, type TestServer } from '../support/http-server.ts'
import { killLeftovers, startMain } from '../support/main-process.ts'
import { descendantsOf, isAlive } from '../support/process-tree.ts'
import { until } from '../support/system.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

// Each test starts the whole program once or twice, and a first start creates a database.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

interface TaskStatusResponse {
  status: string
  result: unknown
}

async function post(
  url: string,
  body: unknown,
): Promise<{ status: number; body: { task_id: string; id: string } }> {
  const headers = { 'Content-Type': 'application/json' }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
  return { status: response.status, body: (await response.json()) as { task_id: string; id: string } }
}

async function get<T>(url: string): Promise<T> {
  return (await (await fetch(url)).json()) as T
}

const statusOf = (url: string, id: string) => get<TaskStatusResponse>(`${url}/task_status/${id}`)

afterEach(killLeftovers)

describe('dev without configuration', () => {
  let dataDir: string
  let usedData: Awaited<ReturnType<typeof createUsedData>>
  beforeAll(async () => {
    usedData = await createUsedData()
  })
  afterAll(() => usedData.remove())
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'waggle-data-'))
  })
  afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

  test('runs a task from PENDING to SUCCESS, ends all child processes on Ctrl-C, and keeps the data', async () => {
    const first = await startMain('dev', { DATA_DIR: dataDir })
    const { status, body } = await post(`${first.url}/notify/`, { email: 'ada@example.com' })
    expect(status).toBe(202)
    expect(body).toMatchObject({ status: 'PENDING' })
    await until(
      () => statusOf(first.url, body.task_id),
      (task) => task.status === 'STARTED',
    )
    await until(
      () => statusOf(first.url, body.task_id),
      (task) => task.status === 'SUCCESS',
    )
    const helpers = descendantsOf(first.pid)
    expect(helpers.length).toBeGreaterThan(0)
    expect(await first.end('SIGINT')).toBe(0)
    expect(helpers.filter(isAlive)).toEqual([])
    expect(first.outputWithoutTransientErrors()).toBe(`Waggle is ready: ${first.url}\n`)

    const second = await startMain('dev', { DATA_DIR: dataDir })
    expect(await statusOf(second.url, body.task_id)).toMatchObject({
      status: 'SUCCESS',
      result: { message: 'Notification sent to ada@example.com' },
    })
    expect(await second.end('SIGTERM')).toBe(0)
  })

  test('runs waiting tasks when it is started again after a kill -9', async () => {
    usedData.copyTo(dataDir)
    const first = await startMain('dev', { DATA_DIR: dataDir })
    const waiting = await post(`${first.url}/v1/tasks/reverse`, {
      input: { text: 'ab' },
      options: { delay_seconds: 1 },
    })
    await first.end('SIGKILL')
    const second = await startMain('dev', { DATA_DIR: dataDir })
    await until(
      () => statusOf(second.url, waiting.body.id),
      (task) => task.status === 'SUCCESS',
    )
    expect(await second.end('SIGTERM')).toBe(0)
  })

  test('names the port in the error when the port is taken', async () => {
    const secondDir = join(dataDir, 'second')
    for (const each of [dataDir, secondDir]) usedData.copyTo(each)
    const first = await startMain('dev', { DATA_DIR: dataDir })
    const { port } = new URL(first.url)
    const second = await startMain('dev', { DATA_DIR: secondDir, PORT: port })
    expect(await second.ended).toBe(1)
    expect(second.output()).toContain(`port ${port}`)
    expect(second.output()).not.toContain('    at ')
    await first.end('SIGTERM')
  })
})

describe('one process per role', () => {
  let redis: RedisServer
  let database: TestDatabase
  /** Never responds, so that a request to it runs until its task ends. */
  let silent: TestServer
  beforeAll(async () => {
    silent = await startTestServer(() => {})
  })
  afterAll(() => silent.stop())
  let settings: Record<string, string>
  beforeEach(async (context) => {
    redis = await startRedisServer()
    database = await createTestDatabase()
    settings = { DATABASE_URL: database.url, REDIS_URL: redis.url }
    if (!database.isServer) context.skip('PGlite can be opened by one process only')
  })
  afterEach(async () => {
    killLeftovers()
    await redis.stop()
    await database.drop()
  })

  test('migrate, api and worker together run a task', async () => {
    const migrations = await Promise.all([startMain('migrate', settings), startMain('migrate', settings)])
    expect(await Promise.all(migrations.map(({ ended }) => ended))).toEqual([0, 0])
    const api = await startMain('api', { ...settings, HEALTH_PORT: '0' })
    const worker = await startMain('worker', settings)
    const { body } = await post(`${api.url}/v1/tasks/reverse`, { input: { text: 'Waggle' } })
    expect(await get(`${api.url}/v1/tasks/${body.id}?wait=20`)).toMatchObject({
      status: 'SUCCESS',
      result: { text: 'elggaW' },
    })
    expect(await worker.end('SIGTERM')).toBe(0)
    expect(await api.end('SIGTERM')).toBe(0)
  })

  test('the API starts and accepts tasks without Redis; they run when Redis and a worker are available', async () => {
    await (await startMain('migrate', settings)).ended
    process.kill(redis.pid, 'SIGKILL')
    const api = await startMain('api', settings)
    const { status, body } = await post(`${api.url}/v1/tasks/reverse`, { input: { text: 'ab' } })
    expect(status).toBe(202)
    expect(await get(`${api.url}/health/ready`)).toMatchObject({ status: 'degraded' })
    await redis.restart()
    await startMain('worker', settings)
    await until(
      () => statusOf(api.url, body.id),
      (task) => task.status === 'SUCCESS',
    )
  })

  test.each(['migrate', 'api', 'worker'])(
    '%s refuses a database that an earlier version created',
    async (command) => {
      await (await startMain('migrate', settings)).ended
      const owner = new pg.Client({ connectionString: database.url })
      await owner.connect()
      await owner.query('update drizzle.__drizzle_migrations set created_at = created_at - 1')
      await owner.end()
      const refused = await startMain(command, settings)
      expect(await refused.ended).toBe(1)
      expect(refused.output()).toContain(
        'The database was created by an earlier version of Waggle and cannot be upgraded.',
      )
    },
  )

  test('an API without keys prints a warning, unless it listens on the loopback interface only', async () => {
    const warning = 'Warning: API_KEYS is not set. Every client that can reach 0.0.0.0 can use the API\n'
    const open = await startMain('api', { ...settings, HOST: '0.0.0.0' })
    expect(open.output()).toContain(warning)
    const { entry } = createApiKey('ci', ['read'])
    const withoutWarning: Record<string, string>[] = [
      { HOST: '0.0.0.0', API_KEYS: entry },
      { HOST: 'localhost' },
    ]
    for (const protectedSettings of withoutWarning) {
      expect((await startMain('api', { ...settings, ...protectedSettings })).output()).not.toContain(
        'Warning',
      )
    }
  })

  test('the API starts without Postgres and responds with 503', async () => {
    const api = await startMain('api', {
      ...settings,
      DATABASE_URL: 'postgres://waggle@127.0.0.1:1/none',
      LOG_LEVEL: 'debug',
    })
    const { status } = await post(`${api.url}/v1/tasks/reverse`, { input: { text: 'ab' } })
    expect(status).toBe(503)
    expect((await fetch(`${api.url}/health`)).status).toBe(200)
    expect((await fetch(`${api.url}/health/ready`)).status).toBe(503)
    await fetch(`${api.url}/v1/tasks`)
    // The log contains the cause, but neither the statement nor its parameters, which contain inputs.
    expect(api.output()).toContain('ECONNREFUSED')
    expect(api.output()).not.toMatch(/Failed query|params:/)
  })

  test('a second SIGTERM ends a worker immediately, unless it follows the first within a second', async () => {
    await (await startMain('migrate', settings)).ended
    const allowing = { ...settings, HTTP_REQUEST_ALLOW: '127.0.0.1' }
    const api = await startMain('api', allowing)
    const worker = await startMain('worker', { ...allowing, SHUTDOWN_GRACE_SECONDS: '3600' })
    const { body } = await post(`${api.url}/v1/tasks/http_request`, {
      input: { url: `${silent.url}/second-signal` },
      options: { timeout_seconds: 600 },
    })
    // Not only STARTED: a task whose claim the worker has not read yet is released when the worker stops.
    await until(
      async () => silent.receivedAt('/second-signal').length,
      (count) => count > 0,
    )
    process.kill(worker.pid, 'SIGTERM')
    process.kill(worker.pid, 'SIGINT')
    await until(
      async () => worker.output(),
      (text) => text.includes('worker stopping'),
    )
    // A signal within a second of the first one counts as the same.
    await pause(1_100)
    expect(isAlive(worker.pid)).toBe(true)
    expect(await worker.end('SIGTERM')).toBe(1)
    // The worker had no time to release the task: it stays STARTED until a reconciler finds it abandoned.
    expect(await statusOf(api.url, body.id)).toMatchObject({ status: 'STARTED' })
  })
})
