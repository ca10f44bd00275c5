// `waggle init` and `waggle new task`: what they write, and that the scripts of a project pass signals on. The tests
// of the package check its types and run its tests.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }
import { type RedisServer, startRedisServer } from '../../src/embedded/redis-server.ts'
import { createUsedData } from '../support/embedded-data.ts'
import { killLeftovers } from '../support/main-process.ts'
import { createNewProject, type NewProject } from '../support/new-project.ts'
import { killScripts, startNpm } from '../support/npm-process.ts'
import { runCommand } from '../support/run-command.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

// The processes are found in /proc.
const isLinux = existsSync('/proc/self/environ')
const hasServer = inject('postgresUrl') !== null

let project: NewProject
let redis: RedisServer
let database: TestDatabase
beforeAll(async () => {
  project = await createNewProject()
  redis = await startRedisServer()
  database = await createTestDatabase()
})
afterEach(() => {
  killScripts()
  killLeftovers()
})
afterAll(async () => {
  project.remove()
  await redis.stop()
  await database.drop()
})

async function newProject(...options: string[]): Promise<string> {
  const { folder, remove } = await createNewProject(...options)
  onTestFinished(remove)
  return folder
}

describe('init', () => {
  test('writes a project with the name of its folder', () => {
    const files = readdirSync(project.folder, { recursive: true, encoding: 'utf8' })
    expect(files.filter((name) => !name.startsWith('node_modules')).toSorted()).toEqual([
      '.env.example',
      '.gitignore',
      'README.md',
      'package.json',
      'tasks',
      'tasks/hello.test.ts',
      'tasks/hello.ts',
      'tsconfig.json',
      'waggle.config.ts',
    ])
    const written = JSON.parse(readFileSync(join(project.folder, 'package.json'), 'utf8'))
    expect(written).toMatchObject({ name: 'my-tasks', type: 'module' })
    expect(Object.keys(written.dependencies)).toEqual(['node', 'waggle-tasks', 'zod'])
    expect(readFileSync(join(project.folder, 'README.md'), 'utf8')).toMatch(/^# my-tasks\n/)
  })

  test('requires the versions with which this repository is tested', () => {
    const { project: own, samples } = JSON.parse(
      readFileSync(new URL('../../templates/dependencies.json', import.meta.url), 'utf8'),
    )
    const tested: Record<string, string> = { ...packageJson.dependencies, ...packageJson.devDependencies }
    for (const { dependencies, devDependencies } of [own, samples])
      for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies }))
        expect([name, version]).toEqual([name, tested[name]])
  })

  test('writes nothing into a folder that has one of the files, and names it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'waggle-taken-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    writeFileSync(join(folder, 'tsconfig.json'), '{}')
    const { code, stdout, stderr } = await runCommand(['init'], { folder })
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/ already has tsconfig\.json: nothing was written\n$/)
    expect(readdirSync(folder)).toEqual(['tsconfig.json'])
  })

  test('--containers adds what runs it in containers, also to an existing project', async () => {
    const folder = await newProject()
    const before = readdirSync(folder)
    const { code, stdout } = await runCommand(['init', folder, '--containers'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^Wrote:\n {2}\.dockerignore\n {2}Dockerfile\n {2}docker-compose\.yml\nNext:\n/)
    expect(stdout).not.toContain('npm install')
    const added = readdirSync(folder).filter((name) => !before.includes(name))
    expect(added.toSorted()).toEqual(['.dockerignore', 'Dockerfile', 'docker-compose.yml'])
    expect(readFileSync(join(folder, 'docker-compose.yml'), 'utf8')).toContain('\nname: my-tasks\n')
    const again = await runCommand(['init', folder, '--containers'])
    expect(again.stderr).toContain('already has .dockerignore, Dockerfile, docker-compose.yml')
  })

  test('--samples adds the samples of this repository, which compile and have their routes', async () => {
    const folder = await newProject('--samples')
    const { stdout } = await runCommand(['openapi'], { folder })
    const { paths } = JSON.parse(stdout)
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining(['/submit_task', '/v1/tasks/hello', '/v1/tasks/email']),
    )
  })
})

describe('new task', () => {
  test('writes a task and adds it to the configuration; the project compiles and knows the task', async () => {
    const folder = await newProject()
    for (const name of ['send_invoice', 'delete'])
      expect(await runCommand(['new', 'task', name], { folder })).toEqual({
        code: 0,
        stderr: '',
        stdout: `Wrote tasks/${name}.ts\nWrote tasks/${name}.test.ts\nAdded the task "${name}" to the configuration\n`,
      })
    expect(readFileSync(join(folder, 'waggle.config.ts'), 'utf8')).toContain(
      'tasks: [hello, sendInvoice, deleteTask]',
    )
    const { stdout } = await runCommand(['openapi'], { folder })
    expect(Object.keys(JSON.parse(stdout).paths)).toContain('/v1/tasks/send_invoice')
  })

  test('says what to add if it does not find the list', async () => {
    const folder = await newProject()
    writeFileSync(join(folder, 'waggle.config.ts'), 'export { default } from "./elsewhere.ts"\n')
    const { code, stdout } = await runCommand(['new', 'task', 'report'], { folder })
    expect(code).toBe(0)
    expect(stdout).toContain(
      "Add the task to waggle.config.ts:\n  import { report } from './tasks/report.ts'\nand report to its list of tasks",
    )
  })

  test('overwrites nothing', async () => {
    const { code, stderr } = await runCommand(['new', 'task', 'hello'], { folder: project.folder })
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'tasks/hello.ts and tasks/hello.test.ts exist already: nothing was written\n',
    })
  })

  test('needs a project', async () => {
    const { code, stderr } = await runCommand(['new', 'task', 'report'], { folder: tmpdir() })
    expect(code).toBe(1)
    expect(stderr).toContain('create a project with `waggle init`')
  })
})

describe('a new project', () => {
  test.skipIf(!isLinux)('npm run dev runs a task, and stops in order on SIGTERM to npm', async () => {
    const usedData = await createUsedData()
    usedData.copyTo(join(project.folder, '.data'))
    usedData.remove()
    const npm = startNpm(['run', 'dev'], {}, { folder: project.folder })
    await npm.ready()
    const url = /is ready: (\S+)/.exec(npm.output())?.[1] ?? ''
    const { code, stdout } = await runCommand(['run', 'hello', '{"name": "Ada"}', '--url', url])
    expect({ code, result: JSON.parse(stdout) }).toEqual({ code: 0, result: { greeting: 'Hello, Ada!' } })
    process.kill(npm.pid, 'SIGTERM')
    expect(await npm.ended).toBe(0)
    expect(npm.running()).toEqual([])
  })

  test.skipIf(!isLinux || !hasServer).each(['api', 'worker'])(
    'npm run %s stops in order on SIGTERM to npm',
    async (script) => {
      const servers = { DATABASE_URL: database.url, REDIS_URL: redis.url }
      const npm = startNpm(['run', script], servers, { folder: project.folder })
      await npm.ready()
      process.kill(npm.pid, 'SIGTERM')
      expect(await npm.ended).toBe(0)
      expect(npm.running()).toEqual([])
    },
  )
})
