// The upgrade of a project to the next version, on one host and in one folder, while tasks are submitted and run.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { pause } from '../../src/base/loop.ts'
import { freePort } from '../../src/embedded/child-server.ts'
import { type RedisServer, startRedisServer } from '../../src/embedded/redis-server.ts'
import { killScripts, type NpmProcess, startNpm } from '../support/npm-process.ts'
import { processesOf } from '../support/process-tree.ts'
import { until } from '../support/system.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'
import { MAX_RETRIES, NEW_COLUMN, NEXT_VERSION, packNextVersion } from './next-version.ts'

const run = promisify(execFile)
const IN_FLIGHT = 500
const NPM = ['--prefer-offline', '--no-audit', '--no-fund', '--omit=dev']

// `compute` and `paced` have no retry, so a single failed attempt fails the task. A process of `compute` is replaced
// all the time, so that some processes start while the files change.
const TASKS = `import { appendFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { defineTask } from 'waggle-tasks'
import { z } from 'zod'

async function note(name: string, id: string, attempt: number) {
  await setTimeout(100)
  appendFileSync(process.env.RUNS ?? '', name + ' ' + id + '\\n')
  return { attempt }
}

const parts = {
  title: 'Note a run',
  description: 'Appends the id of the task to a file.',
  input: z.object({}),
  output: z.object({ attempt: z.number() }),
  example: {},
}

export const plain = defineTask({
  ...parts,
  name: 'plain',
  run: (_, { id, attempt }) => note('plain', id, attempt),
})

export const paced = defineTask({
  ...parts,
  name: 'paced',
  maxRetries: 0,
  concurrency: { limit: 2 },
  run: (_, { id, attempt }) => note('paced', id, attempt),
})

export const compute = defineTask({
  ...parts,
  name: 'compute',
  maxRetries: 0,
  isolate: { maxAttemptsPerProcess: 1 },
  run: (_, { id, attempt }) => note('compute', id, attempt),
})
`

const CONFIG = `import { defineConfig } from 'waggle-tasks'
import { hello } from './tasks/hello.ts'
import { compute, paced, plain } from './tasks/runs.ts'

export default defineConfig({ tasks: [hello, plain, paced, compute] })
`

let redis: RedisServer
let database: TestDatabase
let sql: pg.Pool
let folder: string
let project: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'waggle-upgrade-'))
  project = join(folder, 'my-tasks')
  redis = await startRedisServer()
  database = await createTestDatabase({ isEmpty: true })
  sql = new pg.Pool({ connectionString: database.url, max: 3 })
})
afterAll(async () => {
  killScripts()
  await sql.end()
  await database.drop()
  await redis.stop()
  rmSync(folder, { recursive: true, force: true })
})

test.skipIf(inject('postgresUrl') === null)(
  'an upgrade with 500 tasks in flight loses none and changes no file of the project',
  async () => {
    await createProject()
    const next = packNextVersion(inject('tarball'), project)
    const settings = settingsOf(await freePort())
    await run('npx', ['waggle', 'migrate'], { cwd: project, env: { ...process.env, ...settings } })
    let api = await start('api', settings)
    const worker = await start('worker', settings)
    const url = `http://127.0.0.1:${settings.PORT}`
    expect(await maxRetriesAt(url)).toBe(MAX_RETRIES.before)
    const files = filesOf(project)
    const manifest = readFileSync(join(project, 'package.json'), 'utf8')

    const clients = startClients(url)
    await clients.filled
    const step = stepsOf(clients, worker)
    await step('npm install', () =>
      run('npm', ['install', ...NPM, `./${basename(next)}`], { cwd: project }).then(() => {}),
    )
    // A worker process that dies now is replaced by one of the next version, which lacks its migration.
    await step('a worker process dies', async () => {
      const [first = 0] = processesOf(worker.pid, 'worker')
      process.kill(first, 'SIGKILL')
      await until(
        async () => worker.output(),
        (text) => text.includes('were put back'),
        30,
      )
    })
    await step('the old version works', () => untilEnded(50))
    await step('npx waggle migrate', () =>
      run('npx', ['waggle', 'migrate'], { cwd: project, env: { ...process.env, ...settings } }).then(
        () => {},
      ),
    )
    expect(await hasColumn()).toBe(true)
    await step('the old version works on the new tables', () => untilEnded(50))
    await step('restart of the worker', async () => {
      await stop(worker)
      writeFileSync('/tmp/up-try/worker.txt', worker.output())
      await start('worker', settings)
    })
    await step('restart of the API', () =>
      clients.whileDown(async () => {
        await stop(api)
        api = await start('api', settings)
      }),
    )
    await step('the new version works', () => untilEnded(50))
    const accepted = await clients.stop()
    process.stdout.write(`${JSON.stringify(clients.answers())}, ${accepted.length} tasks\n`)
    expect(clients.failures()).toEqual([])
    expect(clients.fewest()).toBeGreaterThanOrEqual(IN_FLIGHT)

    await until(
      () => count('finished_at is null'),
      (left) => left === 0,
      60,
    )
    expect(await rows('select status, count(*)::int as tasks from tasks group by status')).toEqual([
      { status: 'SUCCESS', tasks: accepted.length },
    ])
    // An upgrade uses no retry, and each result is that of the last attempt.
    expect(await count(`failures > 0 or result->>'attempt' <> attempt::text`)).toBe(0)
    const runs = readFileSync(settings.RUNS, 'utf8').trim().split('\n')
    const ids = new Set(runs.map((line) => line.split(' ')[1]))
    expect(accepted.filter((id) => !ids.has(id))).toEqual([])

    expect(await maxRetriesAt(url)).toBe(MAX_RETRIES.after)
    expect(await rows(`select distinct max_retries from tasks where name = 'plain' order by 1`)).toEqual([
      { max_retries: MAX_RETRIES.before },
      { max_retries: MAX_RETRIES.after },
    ])
    expect(await rows('select distinct version from workers')).toEqual([{ version: NEXT_VERSION }])
    expect(filesOf(project)).toEqual(files)
    expect(changedLines(manifest, readFileSync(join(project, 'package.json'), 'utf8'))).toEqual([
      `    "waggle-tasks": "file:${basename(next)}",`,
    ])
  },
)

async function createProject() {
  const waggle = join(inject('projectFolder'), 'node_modules/.bin/waggle')
  await run(waggle, ['init', project])
  cpSync(inject('tarball'), join(project, basename(inject('tarball'))))
  writeFileSync(join(project, 'tasks/runs.ts'), TASKS)
  writeFileSync(join(project, 'waggle.config.ts'), CONFIG)
  await run('npm', ['install', ...NPM, `./${basename(inject('tarball'))}`], { cwd: project })
}

function settingsOf(port: number) {
  return {
    PORT: String(port),
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    LOG_LEVEL: 'info',
    WAGGLE_ENV_FILE: '/dev/null',
    WORKER_PROCESSES: '2',
    WORKER_CONCURRENCY: '4',
    ISOLATED_PROCESSES: '2',
    RUNS: join(folder, 'runs.txt'),
  }
}

async function start(command: string, settings: Record<string, string>): Promise<NpmProcess> {
  const started = startNpm(['run', command], settings, { folder: project })
  await started.ready()
  return started
}

async function stop(running: NpmProcess) {
  process.kill(running.pid, 'SIGTERM')
  expect(await running.ended, running.output()).toBe(0)
}

/** Submits tasks all the time, and keeps more than `IN_FLIGHT` of them unfinished. */
function startClients(url: string) {
  const accepted: string[] = []
  const answers: Record<string, number> = {}
  const failures: string[] = []
  const filled = Promise.withResolvers<void>()
  let isStopped = false
  let isDown = false
  let fewest = Number.POSITIVE_INFINITY
  let isFilled = false
  const done = Promise.all([sample(), ...['plain', 'plain', 'paced', 'compute'].map(submitAll)])

  return {
    filled: filled.promise,
    answers: () => answers,
    failures: () => failures,
    /** The smallest number of unfinished tasks since `filled`. */
    fewest: () => fewest,
    /** Calls `work`, during which the API may refuse requests. */
    async whileDown(work: () => Promise<void>) {
      isDown = true
      await work()
      isDown = false
    },
    async stop() {
      isStopped = true
      await done
      return accepted
    },
  }

  async function sample() {
    for (; !isStopped; await pause(100)) {
      const unfinished = await count('finished_at is null')
      if (unfinished >= IN_FLIGHT + 200 && !isFilled) {
        isFilled = true
        filled.resolve()
      }
      if (isFilled) fewest = Math.min(fewest, unfinished)
      if (unfinished < IN_FLIGHT + 250) await submit('plain', 60)
    }
  }

  async function submitAll(name: string) {
    for (; !isStopped; await pause(name === 'compute' ? 300 : 100)) await submit(name)
  }

  /** Submits tasks of a definition until they are accepted. */
  async function submit(name: string, times = 1) {
    const body = JSON.stringify({ tasks: Array.from({ length: times }, () => ({ name, input: {} })) })
    const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': crypto.randomUUID() }
    for (;;) {
      const mayFail = isDown
      try {
        const response = await fetch(`${url}/v1/tasks/batch`, { method: 'POST', headers, body })
        const text = await response.text()
        answers[response.status] = (answers[response.status] ?? 0) + 1
        if (response.status === 202) {
          const { items } = JSON.parse(text)
          accepted.push(...items.map(({ id }: { id: string }) => id))
          return
        }
        if (!(mayFail || isDown) || response.status !== 503) failures.push(`${response.status}: ${text}`)
      } catch (error) {
        answers.none = (answers.none ?? 0) + 1
        if (!(mayFail || isDown)) failures.push(String((error as Error).cause ?? error))
      }
      await pause(100)
    }
  }
}

/** Returns a function that calls a step of the upgrade and prints how long it took. */
function stepsOf(clients: ReturnType<typeof startClients>, worker: NpmProcess) {
  return async (name: string, work: () => Promise<void>) => {
    const startedMs = performance.now()
    try {
      await work()
    } catch (error) {
      process.stderr.write(worker.output())
      throw error
    }
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1)
    process.stdout.write(`${name}: ${seconds} s, at least ${clients.fewest()} in flight\n`)
  }
}

/** Resolves when so many further tasks of each definition have ended... */
async function untilEnded(more: number) {
  const before = await count('finished_at is not null')
  await until(
    () => count('finished_at is not null'),
    (ended) => ended >= before + more,
    30,
  )
}

async function rows(query: string): Promise<Record<string, unknown>[]> {
  return (await sql.query(query)).rows
}

async function count(condition: string): Promise<number> {
  const [row] = await rows(`select count(*)::int as tasks from tasks where ${condition}`)
  return Number(row?.tasks)
}

async function hasColumn(): Promise<boolean> {
  const found = await rows(
    `select from information_schema.columns where table_name = 'tasks' and column_name = '${NEW_COLUMN}'`,
  )
  return found.length === 1
}

async function maxRetriesAt(url: string): Promise<number> {
  const response = await fetch(`${url}/v1/definitions`)
  const { data } = (await response.json()) as { data: { name: string; max_retries: number }[] }
  return data.find(({ name }) => name === 'plain')?.max_retries ?? -1
}

/** The files that belong to the user, with the hashes of their contents. */
function filesOf(root: string): Record<string, string> {
  const paths = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .filter((path) => !/^node_modules\/|^package(-lock)?\.json$|\.tgz$/.test(path))
  return Object.fromEntries(
    paths.sort().map((path) => [
      path,
      createHash('sha256')
        .update(readFileSync(join(root, path)))
        .digest('hex'),
    ]),
  )
}

/** Lines of `after` that `before` does not have. */
function changedLines(before: string, after: string): string[] {
  const known = new Set(before.split('\n'))
  return after.split('\n').filter((line) => !known.has(line))
}
