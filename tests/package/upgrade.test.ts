// An upgrade of a project on one host, while tasks run: the next version of the package has one more migration
// and another default. No task is lost, and no file of the project changes. Prints how long each step takes.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { pause } from '../../src/base/loop.ts'
import { freePort } from '../../src/embedded/child-server.ts'
import { type RedisServer, startRedisServer } from '../../src/embedded/redis-server.ts'
import { killScripts, type NpmProcess, startNpm } from '../support/npm-process.ts'
import { until } from '../support/system.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const NEXT = '0.2.0'
// Tasks that are submitted before the upgrade. The worker needs about 30 s for them.
const WAITING = 1_500
const ISOLATED = 15
const PER_SECOND = 20

const TASKS = `import { appendFile } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { defineTask } from 'waggle-tasks'
import { z } from 'zod'

const options = {
  title: 'Note a number',
  description: 'Adds the number to a file.',
  input: z.object({ file: z.string(), number: z.int() }),
  output: z.object({}),
  example: { file: 'notes', number: 1 },
  async run({ file, number }) {
    await setTimeout(1_000)
    await appendFile(file, number + '\\n')
    return {}
  },
}

export const note = defineTask({ ...options, name: 'note' })
// Each attempt starts a process, from the files of the package that is installed then.
export const noteIsolated = defineTask({ ...options, name: 'note_isolated', isolate: { maxAttemptsPerProcess: 1 } })
`

const CONFIG = `import { defineConfig } from 'waggle-tasks'
import { note, noteIsolated } from './tasks/note.ts'

export default defineConfig({ tasks: [note, noteIsolated] })
`

const MIGRATION = 'CREATE TABLE "next_version" ("id" integer PRIMARY KEY);'

describe.skipIf(inject('postgresUrl') === null)('an upgrade', () => {
  const parent = mkdtempSync(join(tmpdir(), 'waggle-upgrade-'))
  const project = join(parent, 'my-tasks')
  const notes = join(parent, 'notes')
  const accepted: { id: string; number: number }[] = []
  const refused: string[] = []
  const stopping = new AbortController()
  let database: TestDatabase
  let redis: RedisServer
  let settings: Record<string, string>
  let url: string
  let api: NpmProcess
  let worker: NpmProcess
  let before: Record<string, string>
  let submitting: Promise<void>

  beforeAll(async () => {
    database = await createTestDatabase({ isEmpty: true })
    redis = await startRedisServer()
    const port = await freePort()
    url = `http://127.0.0.1:${port}`
    settings = {
      DATABASE_URL: database.url,
      REDIS_URL: redis.url,
      PORT: String(port),
      WORKER_CONCURRENCY: '50',
      SHUTDOWN_GRACE_SECONDS: '10',
      LOG_LEVEL: 'info',
    }
  })
  afterAll(async () => {
    stopping.abort()
    killScripts()
    await redis?.stop()
    await database?.drop()
    rmSync(parent, { recursive: true, force: true })
  })

  step('a project of this version', async () => {
    const init = ['exec', '--yes', '--package', inject('tarball'), '--', 'waggle', 'init', 'my-tasks']
    npm([...init, '--containers'], parent)
    rmSync(join(project, 'tasks'), { recursive: true })
    mkdirSync(join(project, 'tasks'))
    writeFileSync(join(project, 'tasks/note.ts'), TASKS)
    writeFileSync(join(project, 'waggle.config.ts'), CONFIG)
    npm(['install', '--prefer-offline', '--no-audit', '--no-fund'])
    await migrate()
    ;[api, worker] = [await start('api'), await start('worker')]
    before = hashesOf(project)
    expect(Object.keys(before)).toContain('docker-compose.yml')
    expect(await maxRetries()).toBe(3)
  })

  step('tasks are submitted', async () => {
    const count = WAITING + ISOLATED
    for (let left = count; left > 0; left -= 100)
      await Promise.all(
        Array.from({ length: Math.min(100, left) }, (_, index) =>
          submit(left - index <= ISOLATED ? 'note_isolated' : 'note'),
        ),
      )
    submitting = submitUntilStopped()
  })

  step('npm install of the next version', async () => {
    const next = packNext(parent)
    expect(await countUnfinished()).toBeGreaterThan(500)
    npm(['install', '--prefer-offline', '--no-audit', '--no-fund', next])
  })

  step('the old version works, also with isolated tasks', async () => {
    const { id } = await submit('note_isolated')
    await until(
      () => statusOf(id),
      (status) => status === 'SUCCESS',
    )
    for (const path of ['/docs', '/openapi.json', '/health/ready', '/metrics'])
      expect([path, (await fetch(url + path)).status]).toEqual([path, 200])
    expect(await versionsOfWorkers()).toEqual(['0.1.0'])
  })

  step('npx waggle migrate', async () => {
    await migrate()
    expect(await query('select * from next_version')).toEqual([])
    await submit('note')
    const count = await countFinished()
    await until(countFinished, (now) => now > count)
  })

  step('worker and API are restarted, one after the other', async () => {
    expect(await countUnfinished()).toBeGreaterThan(500)
    await stop(worker)
    worker = await start('worker')
    await stop(api)
    api = await start('api')
    await until(versionsOfWorkers, (versions) => versions.join() === NEXT)
    expect(await maxRetries()).toBe(7)
    stopping.abort()
    await submitting
  })

  step('every task ran, and none twice', async () => {
    await until(countUnfinished, (count) => count === 0, 180)
    const rows = await query<{ status: string; count: number }>(
      'select status, count(*)::int as count from tasks group by 1',
    )
    expect(rows).toEqual([{ status: 'SUCCESS', count: accepted.length }])
    const noted = readFileSync(notes, 'utf8').trim().split('\n').map(Number)
    expect(noted.toSorted((a, b) => a - b)).toEqual(
      accepted.map(({ number }) => number).toSorted((a, b) => a - b),
    )
    process.stdout.write(`${accepted.length} tasks; refused while the API was restarted: ${refused.length}\n`)
    // Only while the API was restarted.
    expect(new Set(refused)).toEqual(new Set(['ECONNREFUSED']))
  })

  step('no file of the project has changed, except the version of the package', async () => {
    expect(hashesOf(project)).toEqual(before)
    expect(readFileSync(join(project, 'package.json'), 'utf8')).toContain(`waggle-tasks-${NEXT}.tgz`)
  })

  function npm(args: string[], folder = project): string {
    return execFileSync('npm', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  }

  async function migrate() {
    const script = startNpm(['run', 'migrate'], settings, { folder: project })
    expect(await script.ended, script.output()).toBe(0)
  }

  async function start(role: 'api' | 'worker'): Promise<NpmProcess> {
    const script = startNpm(['run', role], settings, { folder: project })
    await script.ready()
    return script
  }

  async function stop(script: NpmProcess) {
    process.kill(script.pid, 'SIGTERM')
    await script.ended
    await expect.poll(script.running, { timeout: 30_000 }).toEqual([])
  }

  /** Submits a task, again and again while the API cannot be reached. */
  async function submit(name: string): Promise<{ id: string }> {
    const number = ++numbers
    const deadlineMs = Date.now() + 60_000
    for (;;) {
      try {
        const response = await fetch(`${url}/v1/tasks/${name}`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json', 'Idempotency-Key': `note-${number}` },
          body: JSON.stringify({ input: { file: notes, number } }),
        })
        const body = (await response.json()) as { id: string }
        expect(response.status, JSON.stringify(body)).toBe(202)
        accepted.push({ id: body.id, number })
        return body
      } catch (error) {
        const { cause } = error as { cause?: { code?: string } }
        if (!cause || Date.now() > deadlineMs) throw error
        refused.push(String(cause.code))
        await pause(100)
      }
    }
  }
  let numbers = 0

  async function submitUntilStopped() {
    const pending: Promise<unknown>[] = []
    while (!stopping.signal.aborted) {
      pending.push(submit(pending.length % 100 === 0 ? 'note_isolated' : 'note'))
      await pause(1_000 / PER_SECOND)
    }
    await Promise.all(pending)
  }

  async function read<T>(path: string): Promise<T> {
    return (await (await fetch(url + path)).json()) as T
  }

  async function maxRetries(): Promise<number | undefined> {
    const { data } = await read<{ data: { name: string; max_retries: number }[] }>('/v1/definitions')
    return data.find(({ name }) => name === 'note')?.max_retries
  }

  async function versionsOfWorkers(): Promise<string[]> {
    const { data } = await read<{ data: { version: string; is_alive: boolean }[] }>('/v1/workers')
    return data.filter((each) => each.is_alive).map(({ version }) => version)
  }

  const statusOf = async (id: string) => (await read<{ status: string }>(`/v1/tasks/${id}`)).status

  async function query<T>(text: string): Promise<T[]> {
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    const { rows } = await client.query(text)
    await client.end()
    return rows as T[]
  }

  async function countWhere(condition: string): Promise<number> {
    const [row] = await query<{ count: number }>(
      `select count(*)::int as count from tasks where ${condition}`,
    )
    return row?.count ?? 0
  }
  const countUnfinished = () => countWhere("status in ('PENDING', 'STARTED', 'RETRY')")
  const countFinished = () => countWhere("status = 'SUCCESS'")
})

/** A test whose duration is printed. The steps build on each other. */
function step(name: string, body: () => Promise<void>) {
  test(name, { timeout: 240_000 }, async () => {
    const startedMs = performance.now()
    await body()
    process.stdout.write(`${name}: ${((performance.now() - startedMs) / 1_000).toFixed(1)} s\n`)
  })
}

/** Packs a version of the package with one more migration and another default. @returns the path of the tarball */
function packNext(parent: string): string {
  execFileSync('tar', ['xzf', inject('tarball'), '-C', parent])
  const folder = join(parent, 'package')
  edit(join(folder, 'package.json'), /"version": "[^"]+"/, `"version": "${NEXT}"`)
  edit(join(folder, 'lib/definitions/define.js'), 'maxRetries: 3,', 'maxRetries: 7,')
  const file = join(folder, 'migrations/meta/_journal.json')
  const journal = JSON.parse(readFileSync(file, 'utf8'))
  const last = journal.entries.at(-1)
  const tag = '9999_next_version'
  journal.entries.push({ ...last, idx: last.idx + 1, when: last.when + 1, tag })
  writeFileSync(file, JSON.stringify(journal))
  writeFileSync(join(folder, `migrations/${tag}.sql`), MIGRATION)
  const options = { cwd: folder, encoding: 'utf8' } as const
  return join(parent, execFileSync('npm', ['pack', '--silent', '--pack-destination', parent], options).trim())
}

function edit(file: string, pattern: string | RegExp, replacement: string): void {
  const text = readFileSync(file, 'utf8')
  const edited = text.replace(pattern, replacement)
  expect(edited).not.toBe(text)
  writeFileSync(file, edited)
}

/** Returns a hash of each file of the project, without what `npm install` maintains. */
function hashesOf(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1))
    .filter((path) => !path.startsWith('node_modules/') && path !== 'package-lock.json')
  return Object.fromEntries(
    files.toSorted().map((path) => {
      const text = readFileSync(join(folder, path), 'utf8')
      const own = path === 'package.json' ? text.replace(/"waggle-tasks": ".*"/, '') : text
      return [path, createHash('sha256').update(own).digest('hex')]
    }),
  )
}
