// `waggle doctor`: what it finds on real servers.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { createClient } from 'redis'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { checkClock } from '../../src/doctor/check.ts'
import { checkNode } from '../../src/doctor/checks.ts'
import { type RedisServer, startRedisServer } from '../../src/embedded/redis-server.ts'
import { startTestServer } from '../support/http-server.ts'
import { killLeftovers, startMain } from '../support/main-process.ts'
import { hasPgBouncer, startPgBouncer } from '../support/pgbouncer.ts'
import { createProjectFolder } from '../support/project-folder.ts'
import { runCommand } from '../support/run-command.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const ROLE = 'waggle_guest'

let redis: RedisServer
let database: TestDatabase
beforeAll(async () => {
  redis = await startRedisServer()
  database = await createTestDatabase()
})
afterEach(killLeftovers)
afterAll(async () => {
  await redis.stop()
  await database.drop()
})

/** Runs the command, and returns its lines without `ok` and `wrong`. */
async function doctor(settings: Record<string, string> = {}) {
  const { code, stdout, stderr } = await runCommand(['doctor'], { settings: { PORT: '0', ...settings } })
  const lines = stdout.split(/\n(?=ok|wrong|$)/)
  const linesOf = (word: string) =>
    lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length).trim())
  return { code, stderr, ok: linesOf('ok'), wrong: linesOf('wrong') }
}

const servers = () => ({ DATABASE_URL: database.url, REDIS_URL: redis.url })

test('everything is ok for `waggle dev` without settings', async () => {
  const { code, stderr, ok, wrong } = await doctor()
  expect({ code, stderr, wrong }).toEqual({ code: 0, stderr: '', wrong: [] })
  expect(ok).toEqual([
    expect.stringMatching(/^Node \d+/),
    expect.stringMatching(/^Waggle \d+/),
    expect.stringMatching(/waggle\.config\.ts, number of tasks: 5$/),
    'All settings are valid',
    'PORT is 0: the system chooses a free port',
    'The API requires no key, and only this machine can reach it (127.0.0.1)',
    expect.stringMatching(/^DATABASE_URL is not set: `waggle dev` keeps its data in \//),
    'The worker of `waggle dev` runs all queues: default',
    expect.stringMatching(/^REDIS_URL is not set: `waggle dev` starts (redis|valkey)-server$/),
  ])
})

test('settings that are not valid are all listed', async () => {
  const { code, stderr, wrong } = await doctor({ PORT: 'x', SMTP_URL: 'http://mail' })
  expect({ code, stderr }).toEqual({ code: 1, stderr: 'One check is wrong\n' })
  expect(wrong).toHaveLength(1)
  expect(wrong[0]).toMatch(/PORT: must be a whole number\n.*SMTP_URL: must be a URL/)
})

test('a folder without a project, and a configuration that cannot be loaded', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'waggle-doctor-'))
  const without = await runCommand(['doctor'], { folder })
  expect(without.stdout).toContain('wrong  There is no waggle.config.ts in ')
  writeFileSync(join(folder, 'waggle.config.ts'), 'export default { tasks: 1 }')
  const broken = await runCommand(['doctor'], { folder })
  expect(broken.stdout).toContain('tasks must be a list of task definitions')
  expect([without.code, broken.code]).toEqual([1, 1])
  rmSync(folder, { recursive: true, force: true })
})

test('a schedule that is not valid is named', async () => {
  const project = createProjectFolder({
    'waggle.config.ts': `
      import { defineConfig, defineTask } from 'waggle-tasks'
      import { z } from 'zod'
      const report = defineTask({
        name: 'report', title: 'Report', description: 'Reports.', input: z.object({}), output: z.null(), example: {},
        schedules: [{ name: 'nightly', cron: '0 25 * * *', input: {} }],
        run: async () => null,
      })
      export default defineConfig({ tasks: [report] })`,
  })
  const { code, wrong } = await doctor({ WAGGLE_CONFIG: project.config })
  project.remove()
  expect([code, wrong]).toEqual([
    1,
    [expect.stringContaining('Schedule "nightly" of task "report": cron is not a cron expression')],
  ])
})

test('a data folder that cannot be created, and a queue that `waggle dev` does not run', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'waggle-doctor-'))
  writeFileSync(join(folder, 'file'), '')
  const { wrong } = await doctor({ DATA_DIR: join(folder, 'file/data'), WORKER_QUEUES: 'mail' })
  expect(wrong).toEqual([
    expect.stringMatching(/^`waggle dev` cannot write to .*file\/data: .*set DATA_DIR$/),
    'The worker of `waggle dev` does not run default: set WORKER_QUEUES=mail,default',
  ])
  rmSync(folder, { recursive: true, force: true })
})

test('a port that another program uses, and an API that everyone can use', async () => {
  const other = await startTestServer((_, response) => response.end('hello'))
  const { port } = new URL(other.url)
  const { wrong } = await doctor({ PORT: port, HOST: '0.0.0.0' })
  await other.stop()
  expect(wrong).toEqual([
    `0.0.0.0:${port} is used by another program: stop it, or set PORT to another port`,
    'Every client that can reach 0.0.0.0 can use the API: set API_KEYS (`waggle keys create`), or ALLOW_ANONYMOUS=true',
  ])
})

test('servers that cannot be reached', async () => {
  const { wrong } = await doctor({
    DATABASE_URL: 'postgres://127.0.0.1:1/none',
    REDIS_URL: 'redis://127.0.0.1:1',
  })
  expect(wrong).toEqual([
    expect.stringMatching(/^Postgres cannot be used: .*ECONNREFUSED.* Check DATABASE_URL/),
    expect.stringMatching(/^Redis cannot be used: .*ECONNREFUSED.* Check REDIS_URL/),
  ])
})

test('a Redis that may remove keys', async () => {
  const client = await createClient({ url: redis.url }).connect()
  await client.configSet({ maxmemory: '104857600', 'maxmemory-policy': 'allkeys-lru' })
  const { wrong } = await doctor({ REDIS_URL: redis.url })
  expect(wrong).toEqual([
    'Redis may remove keys of Waggle: maxmemory is 100 MiB, its policy is allkeys-lru. Set maxmemory-policy to noeviction',
  ])
  await client.configSet({ 'maxmemory-policy': 'noeviction' })
  expect((await doctor({ REDIS_URL: redis.url })).ok).toContain(
    'Redis removes no keys: maxmemory is 100 MiB, its policy is noeviction',
  )
  await client.configSet({ maxmemory: '0' })
  client.destroy()
})

test('an old Node, and clocks that differ', () => {
  expect(checkNode('24.1.0')).toEqual({ isOk: true, text: 'Node 24.1.0' })
  expect(checkNode('20.11.0')).toMatchObject({ isOk: false })
  expect(checkClock('Redis', -1_900)).toMatchObject({ isOk: true })
  expect(checkClock('Redis', -2_100)).toEqual({
    isOk: false,
    text: 'The clock of this machine is 2.1 s behind that of Redis. Synchronize both, e.g. with chrony',
  })
  expect(checkClock('Postgres', 60_000).text).toContain('60.0 s ahead of that of Postgres')
})

describe('a Postgres server', () => {
  async function asOwner(...statements: string[]) {
    const owner = new pg.Client({ connectionString: database.url })
    await owner.connect()
    for (const statement of statements) await owner.query(statement)
    await owner.end()
  }

  test('with a worker, and without', async (context) => {
    if (!database.isServer) context.skip('needs PostgreSQL')
    const none = await doctor(servers())
    expect(none.wrong).toEqual([
      'No worker runs the queue "default" (notify, email, reverse, sentiment, divide, http_request, callback): start `waggle worker`',
    ])
    const worker = await startMain('worker', servers())
    const { code, ok } = await doctor(servers())
    await worker.end('SIGTERM')
    expect(code).toBe(0)
    expect(ok).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^PostgreSQL \d+\.\d+ is reachable$/),
        'The tables are up to date',
        'The role of DATABASE_URL may create partitions',
        'Clocks of this machine and Postgres agree',
        '1 worker for the queue "default"',
        'Clocks of this machine and Redis agree',
      ]),
    )
  })

  test('without the tables', async (context) => {
    if (!database.isServer) context.skip('needs PostgreSQL')
    const empty = await createTestDatabase({ isEmpty: true })
    const { wrong } = await doctor({ ...servers(), DATABASE_URL: empty.url })
    await empty.drop()
    expect(wrong).toEqual([
      expect.stringMatching(/^The database lacks \d+ migrations?: run `waggle migrate`$/),
      expect.stringContaining('No worker'),
    ])
  })

  test('whose role may not create partitions', async (context) => {
    if (!database.isServer) context.skip('needs PostgreSQL')
    await asOwner(
      `drop role if exists ${ROLE}`,
      `create role ${ROLE} login`,
      'revoke create on schema public from public',
      `grant usage on schema drizzle to ${ROLE}`,
      `grant select on all tables in schema public, drizzle to ${ROLE}`,
    )
    const url = new URL(database.url)
    url.username = ROLE
    const { wrong } = await doctor({ ...servers(), DATABASE_URL: url.href })
    await asOwner(`drop owned by ${ROLE}`, `drop role ${ROLE}`)
    expect(wrong[0]).toBe(
      `The role of DATABASE_URL may not create partitions: run \`grant create on schema public to ${ROLE}; ` +
        `${['attempts', 'task_logs', 'tasks'].map((table) => `alter table ${table} owner to ${ROLE}`).join('; ')}\``,
    )
  })

  test('that is read-only, or was created by an earlier version', async (context) => {
    if (!database.isServer) context.skip('needs PostgreSQL')
    const other = await createTestDatabase()
    const client = new pg.Client({ connectionString: other.url })
    await client.connect()
    const name = new URL(other.url).pathname.slice(1)
    await client.query('update drizzle.__drizzle_migrations set created_at = created_at - 1')
    await client.query(`alter database ${name} set default_transaction_read_only = on`)
    await client.end()
    const { wrong } = await doctor({ ...servers(), DATABASE_URL: other.url })
    await other.drop()
    expect(wrong.slice(0, 2)).toEqual([
      expect.stringMatching(/^PostgreSQL .* is read-only: let DATABASE_URL lead to the primary server$/),
      expect.stringContaining('created by an earlier version of Waggle'),
    ])
  })

  test.skipIf(!hasPgBouncer)('behind a pooler in transaction mode', async (context) => {
    if (!database.isServer) context.skip('needs PostgreSQL')
    const pooler = await startPgBouncer(database.url, {
      pool_mode: 'transaction',
      ignore_startup_parameters: 'options',
      default_pool_size: '1',
    })
    const { wrong } = await doctor({ ...servers(), DATABASE_URL: pooler.url })
    await pooler.stop()
    expect(wrong).toContainEqual(expect.stringContaining('a pooler in transaction mode'))
  })
})
