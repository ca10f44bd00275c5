// npm start, npm run api and npm run worker pass signals on to Node, and leave nothing running.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { pause } from '../../src/base/loop.ts'
import { type RedisServer, startRedisServer } from '../../src/embedded/redis-server.ts'
import { createUsedData } from '../support/embedded-data.ts'
import { startTestServer, type TestServer } from '../support/http-server.ts'
import { killLeftovers, startMain } from '../support/main-process.ts'
import { copyProject, killScripts, startNpm } from '../support/npm-process.ts'
import { until } from '../support/system.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

// The processes are found in /proc.
const isLinux = existsSync('/proc/self/environ')
// Without a PostgreSQL server, API and worker cannot be separate processes.
const SCRIPTS = inject('postgresUrl') === null ? ['start'] : ['start', 'run api', 'run worker']
// A configuration of Vite with which a build never ends.
const ENDLESS_BUILD = `
  console.log('the build has begun')
  setInterval(() => {}, 1_000)
  export default new Promise(() => {})`
const hasTerminal = /util-linux/.test(String(spawnSync('script', ['--version']).stdout))

let redis: RedisServer
/** Never responds, so that a request to it runs until its task ends. */
let silent: TestServer
let database: TestDatabase
let project: ReturnType<typeof copyProject>
let usedData: Awaited<ReturnType<typeof createUsedData>>
let dataDir: string
beforeAll(async () => {
  redis = await startRedisServer()
  silent = await startTestServer(() => {})
  database = await createTestDatabase()
  project = copyProject()
  usedData = await createUsedData()
  dataDir = mkdtempSync(join(tmpdir(), 'waggle-data-'))
  if (database.isServer) await (await startMain('migrate', servers())).ended
})
afterEach(() => {
  killScripts()
  killLeftovers()
})
afterAll(async () => {
  await redis.stop()
  await silent.stop()
  await database.drop()
  project.remove()
  usedData.remove()
  rmSync(dataDir, { recursive: true, force: true })
})

describe.skipIf(!isLinux)('npm', () => {
  test.each(SCRIPTS)('%s stops in order on SIGTERM to npm', async (script) => {
    const npm = start(script)
    await npm.ready()
    process.kill(npm.pid, 'SIGTERM')
    expect(await npm.ended).toBe(0)
    expect(npm.running()).toEqual([])
  })

  // One script is enough for the two ways in which Node gets a signal twice: the scripts differ in their
  // arguments.
  test.each(SCRIPTS.slice(-1))('%s stops in order on SIGTERM to all of its processes', async (script) => {
    const npm = start(script)
    await npm.ready()
    // A supervisor does this, for example systemd by default. npm sends the signal to Node once more.
    process.kill(-npm.pid, 'SIGTERM')
    expect(await npm.ended).toBe(0)
    expect(npm.running()).toEqual([])
  })

  test.skipIf(!hasTerminal).each(SCRIPTS.slice(-1))('%s stops in order on Ctrl-C', async (script) => {
    const npm = start(script, { isInTerminal: true })
    await npm.ready()
    npm.pressCtrlC()
    expect(await npm.ended).toBe(0)
    expect(npm.running()).toEqual([])
  })

  test.each(['SIGTERM', 'SIGINT'] as const)(
    'start ends on %s during the build of the page',
    async (signal) => {
      const endless = copyProject()
      onTestFinished(endless.remove)
      writeFileSync(join(endless.folder, 'web/vite.config.ts'), ENDLESS_BUILD)
      const npm = startNpm(['start'], { DATA_DIR: dataDir }, { folder: endless.folder })
      await until(
        async () => npm.output(),
        (text) => text.includes('the build has begun'),
        120,
      )
      process.kill(npm.pid, signal)
      expect(await npm.ended).toBe(signal)
      expect(npm.running()).toEqual([])
      expect(npm.output()).not.toContain('is ready')
    },
  )

  test('start builds the page', async () => {
    const npm = start('start')
    await npm.ready()
    expect(existsSync(join(project.folder, 'web/dist/index.html'))).toBe(true)
  })

  test.skipIf(inject('postgresUrl') === null)(
    'run worker ends immediately on a later second SIGTERM to npm',
    async () => {
      const api = await startMain('api', servers())
      const npm = start('run worker')
      await npm.ready()
      const response = await fetch(`${api.url}/v1/tasks/http_request`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ input: { url: silent.url }, options: { timeout_seconds: 600 } }),
      })
      const { id } = (await response.json()) as { id: string }
      const statusOf = async () => {
        const response = await fetch(`${api.url}/task_status/${id}`)
        return ((await response.json()) as { status: string }).status
      }
      // Not only STARTED: a task whose claim the worker has not read yet is released when the worker stops.
      await until(
        async () => silent.received.length,
        (count) => count > 0,
      )
      process.kill(npm.pid, 'SIGTERM')
      await until(
        async () => npm.output(),
        (text) => text.includes('worker stopping'),
      )
      // A signal within a second of the first one counts as the same.
      await pause(1_100)
      expect(npm.running(), npm.output()).not.toEqual([])
      process.kill(npm.pid, 'SIGTERM')
      expect(await npm.ended).toBe(1)
      expect(npm.running()).toEqual([])
      expect(await statusOf()).toBe('STARTED')
    },
  )
})

function start(script: string, options: { isInTerminal?: boolean } = {}) {
  const args = script.split(' ')
  if (script !== 'start') return startNpm(args, servers(), options)
  rmSync(dataDir, { recursive: true, force: true })
  usedData.copyTo(dataDir)
  return startNpm(args, { DATA_DIR: dataDir }, { ...options, folder: project.folder })
}

function servers(): Record<string, string> {
  return {
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    HTTP_REQUEST_ALLOW: '127.0.0.1',
    SHUTDOWN_GRACE_SECONDS: '3600',
    LOG_LEVEL: 'info',
  }
}
