// Health checks, and the API during outages of Redis and Postgres.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { freePort, startChildServer } from '../../src/embedded/child-server.ts'
import { type RedisServer, startRedisServer } from '../../src/embedded/redis-server.ts'
import { openDatabase } from '../../src/store/database.ts'
import { sql } from '../../src/store/drizzle.ts'
import { CHILD_ENVIRONMENT } from '../support/child-environment.ts'
import { type PostgresServer, startPostgresServer } from '../support/postgres-server.ts'
import { exchange } from '../support/raw-http.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'

const METHODS = ['GET', 'HEAD', 'POST', 'OPTIONS', 'PUT', 'DELETE', 'PATCH', 'PROPFIND']

describe('the API', () => {
  let system: TestSystem
  beforeAll(async () => {
    system = await startSystem()
  })
  afterAll(() => system.stop())

  test.each(METHODS)('/health is 200 for %s', async (method) => {
    const response = await fetch(`${system.url}/health`, { method })
    expect(response.status).toBe(200)
    expect(await response.text()).toBe(method === 'HEAD' ? '' : '{"status":"ok"}')
  })

  test.each(METHODS)('/health/live is 200 for %s', async (method) => {
    expect((await fetch(`${system.url}/health/live`, { method })).status).toBe(200)
  })

  test('/health is 200 for HTTP/1.0 without a Host header, as load balancers send it', async () => {
    expect(await exchange(system.url, 'GET /health HTTP/1.0\r\n\r\n')).toMatchObject({
      status: 200,
      text: '{"status":"ok"}',
    })
    expect((await exchange(system.url, 'GET /health HTTP/1.1\r\n\r\n')).status).toBe(400)
  })

  test('/health ignores the body and its type', async () => {
    const headers = { 'Content-Type': 'nonsense' }
    const response = await fetch(`${system.url}/health`, { method: 'POST', headers, body: '{' })
    expect(response.status).toBe(200)
  })

  test('/health/ready is ok while Postgres and Redis are available', async () => {
    const ready = await until(() => system.request('GET', '/health/ready'), isStatus('ok'))
    expect(ready).toMatchObject({ status: 200, body: { status: 'ok' } })
  })

  test('tasks are accepted while Redis is unavailable, and run when it is available again', async () => {
    process.kill(system.redis.pid, 'SIGKILL')
    const degraded = await until(() => system.request('GET', '/health/ready'), isStatus('degraded'))
    expect(degraded).toMatchObject({ status: 200, body: { reason: expect.stringContaining('Redis') } })
    expect((await system.request('GET', '/health')).status).toBe(200)

    const task = await system.submit('reverse', { text: 'abc' })
    const notification = await system.request('POST', '/notify', { email: 'ada@example.com' })
    expect(notification.status).toBe(202)
    expect((await system.request('GET', `/v1/tasks/${task.id}?wait=0.1`)).status).toBe(200)
    expect(await system.task(task.id)).toMatchObject({ status: 'PENDING', attempt: 0 })

    await system.redis.restart()
    expect(await system.taskWhenFinal(task.id)).toMatchObject({ status: 'SUCCESS', attempt: 1 })
    const { task_id: notificationId } = notification.body as { task_id: string }
    expect(await system.taskWhenFinal(notificationId)).toMatchObject({ status: 'SUCCESS', attempt: 1 })
    await until(() => system.request('GET', '/health/ready'), isStatus('ok'))
  })
})

// Without an installed server the tests run on PGlite, which cannot be killed.
describe.skipIf(inject('postgresUrl') === null)('an API process with its own PostgreSQL', () => {
  let postgres: OwnPostgres
  let redis: RedisServer
  let api: ApiProcess
  beforeAll(async () => {
    ;[postgres, redis] = await Promise.all([startOwnPostgres(), startRedisServer()])
    const database = await openDatabase(postgres.url)
    await database.migrate()
    await database.close()
    api = await startApiProcess({ DATABASE_URL: postgres.url, REDIS_URL: redis.url })
  })
  afterAll(async () => {
    await api.stop()
    await Promise.all([postgres.stop(), redis.stop()])
  })

  test.each(METHODS)('HEALTH_PORT serves %s /health and nothing else', async (method) => {
    expect((await fetch(`${api.healthUrl}/health`, { method })).status).toBe(200)
    expect((await fetch(`${api.healthUrl}/v1/tasks`, { method })).status).toBe(404)
  })

  test('HEALTH_PORT responds to other paths with a problem document', async () => {
    const response = await fetch(`${api.healthUrl}/v1/tasks`)
    expect(response.headers.get('Content-Type')).toBe('application/problem+json')
  })

  test('while PostgreSQL is unavailable all routes that need it are 503, and they work when it is available again', async () => {
    const accepted = (await submit(api)).id
    postgres.kill()
    await until(
      () => submit(api),
      ({ status }) => status === 503,
    )

    for (const [method, path] of [
      ['POST', '/v1/tasks/reverse'],
      ['GET', `/v1/tasks/${accepted}`],
      ['GET', `/v1/tasks/${accepted}?wait=20`],
      ['POST', `/v1/tasks/${accepted}/cancel`],
      ['POST', `/v1/tasks/${accepted}/retry`],
      ['GET', '/v1/tasks'],
      ['GET', '/v1/workers'],
      ['GET', '/v1/stats'],
      ['GET', `/task_status/${accepted}`],
      ['GET', `/check_task/${accepted}`],
      ['GET', '/submit_task?x=1&y=2'],
    ] as const) {
      const response = await request(api, method, path)
      expect({ path, status: response.status }).toEqual({ path, status: 503 })
      expect(response.headers.get('Retry-After')).toMatch(/^\d+$/)
      expect(response.headers.get('Content-Type')).toBe('application/problem+json')
      expect(await response.text()).not.toMatch(/ECONN|127\.0\.0\.1|insert into|select/)
    }
    const ready = await request(api, 'GET', '/health/ready')
    expect([ready.status, await ready.json()]).toEqual([
      503,
      { status: 'unavailable', reason: expect.stringContaining('Postgres') },
    ])
    for (const path of ['/health', '/health/live', '/v1/definitions']) {
      expect((await request(api, 'GET', path)).status).toBe(200)
    }
    expect((await request(api, 'POST', '/v1/tasks/reverse', '{"input":{}}')).status).toBe(422)

    await postgres.restart()
    await until(
      () => submit(api),
      ({ status }) => status === 202,
    )
    expect((await request(api, 'GET', `/v1/tasks/${accepted}`)).status).toBe(200)
    expect((await request(api, 'GET', '/health/ready')).status).toBe(200)
    expect(api.process.exitCode).toBe(null)
  })

  test('when PostgreSQL is killed under load, submissions get 202, 503 or 504; every task with a 202 exists, and none with a 503', async () => {
    const responses: { status: number; id: string }[] = []
    const countBefore = await countTasks(postgres.url)
    const countOf = (wanted: number) => responses.filter(({ status }) => status === wanted).length
    const clients = Array.from({ length: 16 }, async () => {
      while (countOf(503) < 50) responses.push(await submit(api))
    })
    await until(
      async () => countOf(202),
      (count) => count > 200,
    )
    postgres.kill()
    await Promise.all(clients)
    await postgres.restart()
    await until(
      async () => {
        responses.push(await submit(api))
        return responses.at(-1)
      },
      (response) => response?.status === 202,
    )

    expect(responses.filter(({ status }) => ![202, 503, 504].includes(status))).toEqual([])
    const ids = responses.flatMap(({ status, id }) => (status === 202 ? [id] : []))
    const kept = await Promise.all(
      ids.map(async (id) => (await request(api, 'GET', `/task_status/${id}`)).status),
    )
    expect(kept).toEqual(ids.map(() => 200))
    const count = (await countTasks(postgres.url)) - countBefore
    expect(count).toBeLessThanOrEqual(countOf(202) + countOf(504))
    expect(api.process.exitCode).toBe(null)
  })
})

function isStatus(wanted: string) {
  return ({ body }: { body: unknown }) => (body as { status?: string }).status === wanted
}

interface ApiProcess {
  process: ChildProcess
  url: string
  healthUrl: string
  stop(): Promise<void>
}

async function startApiProcess(servers: Record<string, string>): Promise<ApiProcess> {
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
  const healthPort = await freePort()
  const environment = { ...servers, PORT: '0', HEALTH_PORT: String(healthPort), LOG_LEVEL: 'silent' }
  const child = spawn(process.execPath, [main, 'api'], {
    env: { ...CHILD_ENVIRONMENT, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await once(createInterface(child.stdout), 'line')
  const url = /^API is ready: (http:\S+)$/.exec(line)?.[1]
  if (!url) throw new Error(`Unexpected output of the API: ${line}`)
  return {
    process: child,
    url,
    healthUrl: `http://127.0.0.1:${healthPort}`,
    async stop() {
      if (child.exitCode !== null) return
      child.kill()
      await once(child, 'exit')
    },
  }
}

function request({ url }: ApiProcess, method: string, path: string, body = '{"input":{"text":"abc"}}') {
  const headers = { 'Content-Type': 'application/json' }
  return fetch(`${url}${path}`, method === 'POST' ? { method, headers, body } : { method })
}

async function submit(api: ApiProcess): Promise<{ status: number; id: string }> {
  const response = await request(api, 'POST', '/v1/tasks/reverse')
  const { id } = (await response.json()) as { id: string }
  return { status: response.status, id }
}

async function countTasks(url: string): Promise<number> {
  const database = await openDatabase(url)
  const [row] = await database.query<{ count: number }>(sql`select count(*)::int as count from tasks`)
  await database.close()
  return row?.count ?? 0
}

interface OwnPostgres {
  url: string
  /** Kills the server immediately, like a crash: its connections are not closed normally. */
  kill(): void
  /** Starts the server again with the same address and data. */
  restart(): Promise<void>
  stop(): Promise<void>
}

async function startOwnPostgres(): Promise<OwnPostgres> {
  const first = await startPostgresServer()
  if (!first) throw new Error('PostgreSQL is not installed')
  const { data, folder, port, bin } = await settingsOf(first)
  const owner = statSync(data)
  const user = process.getuid?.() === 0 ? { uid: owner.uid, gid: owner.gid } : {}
  const command = [join(bin, 'postgres'), '-D', data, '-p', port, '-h', '127.0.0.1', '-k', folder]
  let current: { pid: number; stop(): Promise<void> } = first
  return {
    url: first.url,
    kill: () => void process.kill(current.pid, 'SIGQUIT'),
    async restart() {
      await until(
        async () => existsSync(join(data, 'postmaster.pid')),
        (exists) => !exists,
      )
      if (current !== first) await current.stop()
      current = await startChildServer(command, { ...user, cwd: folder })
    },
    async stop() {
      await current.stop()
      // This also removes the data folder.
      await first.stop()
    },
  }
}

async function settingsOf({ url }: PostgresServer) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query(`
    select current_setting('data_directory') as data, current_setting('unix_socket_directories') as folder,
           current_setting('port') as port, (select setting from pg_config where name = 'BINDIR') as bin`)
  await client.end()
  return rows[0] as { data: string; folder: string; port: string; bin: string }
}
