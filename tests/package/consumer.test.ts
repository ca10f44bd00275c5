// A project with the installed package: its types, its commands and its client.
import { execFile } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, expect, inject, onTestFinished, test } from 'vitest'
import { type RedisServer, startRedisServer } from '../../src/embedded/redis-server.ts'
import { killScripts, startNpm } from '../support/npm-process.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const run = promisify(execFile)
const folder = inject('projectFolder')
const SETTINGS = { GREETING: 'Hello' }
const RESULTS = {
  greeting: 'Hello, Ada',
  shout: 'HELLO, ADA',
  error: 'PermanentError',
  attempts: 1,
  unknown: 'unknown_task',
}

let redis: RedisServer
let database: TestDatabase
beforeAll(async () => {
  redis = await startRedisServer()
  database = await createTestDatabase({ isEmpty: true })
})
afterEach(killScripts)
afterAll(async () => {
  await redis.stop()
  await database.drop()
})

test('right use compiles and wrong use does not', async () => {
  await run('npx', ['tsc', '--noEmit'], { cwd: folder })
})

test('an option that does not exist is explained by a sentence of the compiler', async () => {
  const file = join(folder, 'retries.ts')
  onTestFinished(() => rmSync(file))
  const task = readFileSync(join(folder, 'tasks/hello.ts'), 'utf8')
  writeFileSync(file, task.replace("  title: 'Say hello',", '$&\n  retries: 5,'))
  const message = `Type 'number' is not assignable to type '"The option 'retries' does not exist. Use 'maxRetries'."'.`
  await expect(run('npx', ['tsc', '--noEmit'], { cwd: folder })).rejects.toMatchObject({
    stdout: `retries.ts(7,3): error TS2322: ${message}\n`,
  })
})

test.each([
  ['npx waggle dev', ['exec', '--', 'waggle', 'dev']],
  ['npm run dev', ['run', 'dev']],
])('%s runs tasks and serves the page, and leaves nothing running after SIGTERM', async (_name, args) => {
  const dev = startNpm(args, SETTINGS, { folder })
  await dev.ready()
  const url = urlOf(dev.output())
  const { pid, ...results } = await submit(url)
  expect(results).toEqual(RESULTS)
  expect(pid).not.toBe(dev.pid)
  const page = await fetch(url)
  expect(page.status).toBe(200)
  expect(await page.text()).toContain('<script type="module"')
  expect((await fetch(`${url}/docs`)).status).toBe(200)
  expect(dev.running().join('\n')).toContain('waggle-tasks/lib/isolated.js')
  await expectStop(dev)
})

test('npx waggle dev loads an edit of a task', async () => {
  const dev = npx('dev', SETTINGS)
  await dev.ready()
  const url = urlOf(dev.output())
  const task = join(folder, 'tasks/hello.ts')
  const code = readFileSync(task, 'utf8')
  onTestFinished(() => writeFileSync(task, code))
  writeFileSync(task, code.replace('services.greet(name)', '"Edited: " + name'))
  await expect.poll(async () => (await submit(url)).greeting, { timeout: 60_000 }).toBe('Edited: Ada')
  await expectStop(dev)
})

test('a setting that is missing is named', async () => {
  const dev = npx('dev', {})
  await expect(dev.ready()).rejects.toThrow('GREETING: is required')
  expect(await dev.ended).toBe(1)
})

test.skipIf(inject('postgresUrl') === null)(
  'npx waggle migrate, api and worker work on servers with several processes',
  async () => {
    const servers = { ...SETTINGS, DATABASE_URL: database.url, REDIS_URL: redis.url, LOG_LEVEL: 'info' }
    const migrate = npx('migrate', servers)
    expect(await migrate.ended, migrate.output()).toBe(0)
    const api = npx('api', { ...servers, API_PROCESSES: '2' })
    const worker = npx('worker', { ...servers, WORKER_PROCESSES: '2' })
    await api.ready()
    await worker.ready()
    expect(await submit(urlOf(api.output()))).toMatchObject(RESULTS)
    const workers = worker.running().filter((line) => line.includes('main.js worker-process'))
    expect(workers).toEqual(Array(2).fill(expect.stringContaining('--max-semi-space-size=64')))
    await Promise.all([expectStop(api), expectStop(worker)])
  },
)

function npx(command: string, settings: Record<string, string>) {
  return startNpm(['exec', '--', 'waggle', command], settings, { folder })
}

function urlOf(output: string): string {
  return /is ready: (\S+)/.exec(output)?.[1] ?? ''
}

/** Runs the program `submit.ts` of the project. */
async function submit(url: string): Promise<Record<string, unknown>> {
  const { stdout } = await run(process.execPath, [join(folder, 'submit.ts'), url])
  return JSON.parse(stdout)
}

/** npx does not wait for the command, so the processes end a moment after it. */
async function expectStop(npx: ReturnType<typeof startNpm>) {
  process.kill(npx.pid, 'SIGTERM')
  await npx.ended
  await expect.poll(npx.running, { timeout: 30_000 }).toEqual([])
}
