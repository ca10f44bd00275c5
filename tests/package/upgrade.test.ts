// The upgrade of a project to the next version, on one host and in one folder, while tasks are submitted and
// run.
import { execFile } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import repository from '../../package.json' with { type: 'json' }
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
const VERSION = repository.version
// Tries of a submission, 100 ms apart: a restart of the API takes some seconds.
const MAX_TRIES = 300
const NPM = ['--prefer-offline', '--no-audit', '--no-fund', '--omit=dev']

// No task has a retry except those of `plain`, so a single failed attempt fails its task. Each attempt of
// `compute` has a process of its own, so that processes start all the time, also while npm replaces the
// files.
const TASKS = `import { appendFileSync, existsSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { defineTask } from 'waggle-tasks'
import { z } from 'zod'

async function note(id: string, attempt: number) {
  const runs = process.env.RUNS ?? ''
  if (!existsSync(runs + '.hurry')) await setTimeout(100)
  appendFileSync(runs, id + '\\n')
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
  run: (_, { id, attempt }) => note(id, attempt),
})

export const paced = defineTask({
  ...parts,
  name: 'paced',
  maxRetries: 0,
  concurrency: { limit: 2 },
  run: (_, { id, attempt }) => note(id, attempt),
})

export const compute = defineTask({
  ...parts,
  name: 'compute',
  maxRetries: 0,
  isolate: { maxAttemptsPerProcess: 1 },
  run: (_, { id, attempt }) => note(id, attempt),
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
  { timeout: 300_000 },
  async () => {
    const settings = settingsOf(await freePort())
    const url = `http://127.0.0.1:${settings.PORT}`
    const next = await step('a project', async () => {
      await createProject()
      return packNextVersion(inject('tarball'), project)
    })
    await step('npx waggle migrate', () => migrate(settings))
    const [oldApi, oldWorker] = await step('the old version', () =>
      Promise.all([start('api', settings), start('worker', settings)]),
    )
    expect(await maxRetriesAt(url)).toBe(MAX_RETRIES.before)
    const files = filesOf(project)
    const manifest = readFileSync(join(project, 'package.json'), 'utf8')

    let [newApi, newWorker] = [oldApi, oldWorker]
    const clients = startClients(url)
    try {
      await step('500 tasks', () => clients.filled)
      await step('npm install', () => install(next))
      await step('a worker process dies', async () => {
        const [first = 0] = processesOf(oldWorker.pid, 'worker')
        process.kill(first, 'SIGKILL')
        await untilWritten(oldWorker, 'the tasks of a crashed worker were put back')
        // Its successor is of the new version already.
        await untilWritten(oldWorker, 'The database lacks migrations')
      })
      await step('the old version works', () => untilTasksEnd(VERSION))
      await step('npx waggle migrate', () => migrate(settings))
      await step('the old version works on the new tables', () => untilTasksEnd(VERSION))
      await step('restart of the worker', async () => {
        await stop(oldWorker)
        newWorker = await start('worker', settings)
      })
      await step('restart of the API', () =>
        clients.whileDown(async () => {
          await stop(oldApi)
          newApi = await start('api', settings)
        }),
      )
      await step('the new version works', () => untilTasksEnd(NEXT_VERSION))
    } catch (error) {
      process.stderr.write(oldWorker.output())
      throw error
    } finally {
      await clients.stop()
    }
    const { accepted, failures, fewest } = clients.report()
    process.stdout.write(`${accepted.length} tasks, at least ${fewest} in flight\n`)
    expect(failures).toEqual([])
    expect(fewest).toBeGreaterThanOrEqual(IN_FLIGHT)
    expect(oldApi.output()).not.toMatch(/"level":[56]0/)

    writeFileSync(`${settings.RUNS}.hurry`, '')
    await step('the end of all tasks', () =>
      until(
        () => count('finished_at is null'),
        (left) => left === 0,
      ),
    )
    expect(await rows('select status, count(*)::int as tasks from tasks group by status')).toEqual([
      { status: 'SUCCESS', tasks: accepted.length },
    ])
    const runs = new Set(readFileSync(settings.RUNS, 'utf8').split('\n'))
    expect(accepted.filter((id) => !runs.has(id))).toEqual([])
    // An upgrade uses no retry, and each result is that of the last attempt.
    expect(await count(`failures > 0 or result->>'attempt' <> attempt::text`)).toBe(0)

    expect(await count(`${NEW_COLUMN} is not null`)).toBe(0)
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

    await step('a rollback', async () => {
      await install(inject('tarball'))
      await Promise.all([stop(newApi), stop(newWorker)])
      await Promise.all([start('api', settings), start('worker', settings)])
      await clients.submit('compute')
      await until(
        () =>
          count(`status = 'SUCCESS' and worker_id in (select id from workers where version = '${VERSION}')`),
        (ended) => ended === 1,
      )
    })
    expect(readFileSync(join(project, 'package.json'), 'utf8')).toBe(manifest)
  },
)

/** Calls a step and prints how long it took. */
async function step<T>(name: string, work: () => Promise<T>): Promise<T> {
  const startedMs = performance.now()
  const result = await work()
  process.stdout.write(`${name}: ${((performance.now() - startedMs) / 1_000).toFixed(1)} s\n`)
  return result
}

async function createProject() {
  const waggle = join(inject('projectFolder'), 'node_modules/.bin/waggle')
  await run(waggle, ['init', project])
  cpSync(inject('tarball'), join(project, basename(inject('tarball'))))
  writeFileSync(join(project, 'tasks/runs.ts'), TASKS)
  writeFileSync(join(project, 'waggle.config.ts'), CONFIG)
  await install(inject('tarball'))
}

/** Installs a tarball that is in the folder of the project. */
function install(tarball: string) {
  return run('npm', ['install', ...NPM, `./${basename(tarball)}`], { cwd: project })
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

function migrate(settings: Record<string, string>) {
  return run('npx', ['waggle', 'migrate'], { cwd: project, env: { ...process.env, ...settings } })
}

function untilWritten({ output }: NpmProcess, text: string) {
  return until(
    async () => output(),
    (written) => written.includes(text),
  )
}

/** Submits tasks all the time, and keeps more than `IN_FLIGHT` of them unfinished. */
function startClients(url: string) {
  const accepted: string[] = []
  const failures: string[] = []
  const filled = Promise.withResolvers<void>()
  let isFilled = false
  let isStopped = false
  let isDown = false
  let fewest = Number.POSITIVE_INFINITY
  const done = Promise.all([
    submit('plain', { times: 20, options: { delay_seconds: 20 } }),
    keepFilled(),
    submitOften('plain', 50, Number.POSITIVE_INFINITY),
    submitOften('paced', 200),
    submitOften('compute', 300, 6),
  ])

  return {
    filled: filled.promise,
    /** `fewest`: the smallest number of unfinished tasks since `filled`. */
    report: () => ({ accepted, failures, fewest }),
    /** Calls `work`, during which the API may refuse requests. */
    async whileDown(work: () => Promise<void>) {
      isDown = true
      await work()
      isDown = false
    },
    submit,
    async stop() {
      isStopped = true
      await done
    },
  }

  async function keepFilled() {
    for (; !isStopped; await pause(100)) {
      const unfinished = await count('finished_at is null')
      if (isFilled) fewest = Math.min(fewest, unfinished)
      if (unfinished < IN_FLIGHT + 250) await submit('plain', { times: 60 })
      else {
        isFilled = true
        filled.resolve()
      }
    }
  }

  /** @param most the number of unfinished tasks of this definition above which none is submitted */
  async function submitOften(name: string, pauseMs: number, most = IN_FLIGHT) {
    for (; !isStopped; await pause(pauseMs))
      if ((await count(`finished_at is null and name = '${name}'`)) < most) await submit(name)
  }

  /** Repeats a submission, as clients do, until it is accepted. */
  async function submit(name: string, { times = 1, options = {} } = {}) {
    const tasks = Array.from({ length: times }, () => ({ name, input: {}, options }))
    const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': randomUUID() }
    const request = { method: 'POST', headers, body: JSON.stringify({ tasks }) }
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const wasDown = isDown
      const { status, text } = await send(`${url}/v1/tasks/batch`, request)
      if (status === 202) {
        const { items } = JSON.parse(text) as { items: { id: string }[] }
        accepted.push(...items.map(({ id }) => id))
        return
      }
      const isHonest = (wasDown || isDown) && (status === undefined || status === 503)
      if (!isHonest) failures.push(`${status}: ${text}`)
      await pause(100)
    }
    failures.push(`${name} was not accepted in ${MAX_TRIES} tries`)
  }
}

/** `status` is undefined if there was no response. */
async function send(url: string, request: RequestInit): Promise<{ status?: number; text: string }> {
  try {
    const response = await fetch(url, request)
    return { status: response.status, text: await response.text() }
  } catch (error) {
    return { text: String(error instanceof Error ? (error.cause ?? error) : error) }
  }
}

/** Resolves when workers of a version have ended some more tasks of each definition. */
async function untilTasksEnd(version: string) {
  const ended = (name: string) =>
    count(
      `name = '${name}' and status = 'SUCCESS' and worker_id in (select id from workers where version = '${version}')`,
    )
  for (const [name, more] of [
    ['plain', 20],
    ['paced', 5],
    ['compute', 2],
  ] as const) {
    const before = await ended(name)
    await until(
      () => ended(name),
      (now) => now >= before + more,
      60,
    )
  }
}

async function rows(query: string): Promise<Record<string, unknown>[]> {
  return (await sql.query(query)).rows
}

async function count(condition: string): Promise<number> {
  const [row] = await rows(`select count(*)::int as tasks from tasks where ${condition}`)
  return Number(row?.tasks)
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
