// `waggle dev` loads edits of the project, while it runs.
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type RedisServer, startRedisServer } from '../../src/embedded/redis-server.ts'
import { findChromium, launchBrowser, openView } from '../support/browser.ts'
import { createUsedData } from '../support/embedded-data.ts'
import { killLeftovers, type MainProcess, startMain } from '../support/main-process.ts'
import { createProjectFolder, type ProjectFolder } from '../support/project-folder.ts'
import { until } from '../support/system.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const CONFIG = `import { defineConfig, defineServices } from 'waggle-tasks'
import { z } from 'zod'
import { hello } from './tasks/hello.ts'

const services = defineServices({
  settings: z.object({ MARK: z.string() }),
  open: ({ settings, log }) => {
    log('services opened')
    return { mark: settings.MARK, close: () => console.log('services closed') }
  },
})

export default defineConfig({ tasks: [hello], services })
`

const HELLO = `import { defineTask } from 'waggle-tasks'
import { z } from 'zod'
import { greeting } from './greeting.ts'

export const hello = defineTask({
  name: 'hello',
  title: 'Say hello',
  description: 'Greets a person. Waits until it is aborted if the name is "wait".',
  input: z.object({ name: z.string() }),
  output: z.object({ text: z.string() }),
  example: { name: 'Ada' },
  async run({ name }, { services, signal, progress }) {
    if (name === 'wait' && greeting === 'Hello') {
      progress(0.5)
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    }
    return { text: \`\${greeting} \${name} \${services.mark}\` }
  },
})
`

const greeting = (word: string) => ({ 'tasks/greeting.ts': `export const greeting = '${word}'\n` })

let project: ProjectFolder
let main: MainProcess
let url = ''

describe('in one process', () => {
  beforeAll(async () => {
    const usedData = await createUsedData()
    project = createProjectFolder({
      'waggle.config.ts': CONFIG,
      'tasks/hello.ts': HELLO,
      ...greeting('Hello'),
    })
    const dataDir = join(project.folder, '.data')
    usedData.copyTo(dataDir)
    usedData.remove()
    await start({ DATA_DIR: dataDir, LOG_LEVEL: 'info' })
  })
  afterAll(async () => {
    await killLeftovers()
    project.remove()
  })

  test('an edit of an imported file is live; a running task is released and run by the new code', async () => {
    expect(await resultOf(await submit('Ada'))).toEqual({ text: 'Hello Ada !' })
    const waiting = await submit('wait')
    await until(
      () => read(waiting),
      ({ status }) => status === 'STARTED',
    )
    project.write(greeting('Hallo'))
    await untilPrinted('Reloaded: ')
    expect(await resultOf(await submit('Ada'))).toEqual({ text: 'Hallo Ada !' })
    const done = await whenFinal(waiting)
    expect(done).toMatchObject({ status: 'SUCCESS', failures: 0, result: { text: 'Hallo wait !' } })
    await untilPrinted('services closed')
    expect(main.output().match(/services opened/g)).toHaveLength(2)
    expect(main.output().match(/services closed/g)).toHaveLength(1)
  })

  test('an edit of the configuration adds a task', async () => {
    const { version } = await stateOfReload()
    project.write({
      'tasks/bye.ts': HELLO.replaceAll('hello', 'bye').replace('./greeting.ts', './word.ts'),
      'tasks/word.ts': `export const greeting = 'Bye'`,
      'waggle.config.ts': CONFIG.replace('tasks: [hello]', 'tasks: [hello, bye]').replace(
        `import { hello }`,
        `import { bye } from './tasks/bye.ts'\nimport { hello }`,
      ),
    })
    await untilVersion(version + 1)
    expect(await resultOf(await submit('Ada', 'bye'))).toEqual({ text: 'Bye Ada !' })
    project.write({ 'tasks/word.ts': `export const greeting = 'See you,'` })
    await untilVersion(version + 2)
    expect(await resultOf(await submit('Ada', 'bye'))).toEqual({ text: 'See you, Ada !' })
  })

  test('an edit of a CommonJS module says that it needs a restart', async () => {
    const { version } = await stateOfReload()
    const word = (text: string) => ({ 'tasks/word.cjs': `exports.greeting = '${text}'` })
    project.write({ ...word('Salve'), 'tasks/greeting.ts': `export { greeting } from './word.cjs'` })
    await untilVersion(version + 1)
    expect(await resultOf(await submit('Ada'))).toEqual({ text: 'Salve Ada !' })
    project.write(word('Ciao'))
    await untilPrinted('word.cjs. Restart the command')
    expect(await resultOf(await submit('Ada'))).toEqual({ text: 'Salve Ada !' })
  })

  test.each([
    ['a syntax error', { 'tasks/greeting.ts': 'export const greeting = ' }, 'greeting.ts:1'],
    [
      'an error at the import',
      { 'tasks/greeting.ts': `throw new RangeError('too far')\nexport const greeting = ''` },
      'RangeError: too far',
    ],
    ['a file that is missing', { 'tasks/greeting.ts': `export * from './none.ts'` }, 'none.ts'],
    ['a wrong configuration', { 'waggle.config.ts': 'export default 1' }, 'defineConfig({ tasks: […] })'],
    [
      'a setting that is missing',
      { 'waggle.config.ts': CONFIG.replace('MARK:', 'NONE:') },
      'NONE: is required',
    ],
    [
      'routes that cannot be created',
      {
        'waggle.config.ts': CONFIG.replace(
          'tasks: [hello],',
          `tasks: [hello], routes() { throw new Error('no routes') },`,
        ),
      },
      'no routes',
    ],
    [
      'services that cannot be opened',
      { 'waggle.config.ts': CONFIG.replace(`log('services opened')`, `throw new Error('refused')`) },
      'could not be opened: Error: refused',
    ],
  ])('%s keeps the old code until it is fixed', async (_, broken: Record<string, string>, message) => {
    const { version } = await stateOfReload()
    project.write({ 'waggle.config.ts': CONFIG, 'tasks/hello.ts': HELLO, ...greeting('Hello') })
    await untilVersion(version + 1)
    const outputBefore = main.output().length
    project.write(broken)
    const { error } = await until(stateOfReload, (state) => state.error !== null)
    expect(error).toContain(message)
    expect(error).not.toMatch(/node:internal|\?version=/)
    await until(
      async () => main.output().slice(outputBefore),
      (output) => output.includes(message),
    )
    expect(await resultOf(await submit('Ada'))).toEqual({ text: 'Hello Ada !' })
    project.write({
      'waggle.config.ts': CONFIG,
      ...(message === 'none.ts' ? { 'tasks/none.ts': `export const greeting = 'Hi'` } : greeting('Hi')),
    })
    await until(stateOfReload, (state) => state.error === null)
    await until(
      async () => resultOf(await submit('Ada')),
      (result) => (result as { text: string }).text === 'Hi Ada !',
    )
  })

  const chromium = findChromium()
  test.skipIf(!chromium)('the page shows why an edit could not be loaded, and new tasks', async () => {
    const browser = await launchBrowser(chromium as string)
    await using view = await openView(browser, url, '#/run')
    const { page } = view
    project.write({ 'tasks/greeting.ts': 'export const greeting = ' })
    const banner = page.getByRole('status').filter({ hasText: 'The last edit could not be loaded' })
    await banner.getByText('SyntaxError').waitFor()
    project.write({ ...greeting('Hello'), 'tasks/hello.ts': HELLO.replace('Say hello', 'Say good day') })
    await banner.waitFor({ state: 'detached' })
    await page.getByText('Say good day').first().waitFor()
    await browser.close()
  })

  test('SIGTERM closes the services of the last code and ends the process', async () => {
    expect(await main.end('SIGTERM')).toBe(0)
    const count = (text: string) => main.output().split(text).length - 1
    expect(count('services closed')).toBe(count('services opened'))
  })
})

describe('SIGTERM ends the process', () => {
  let dataDir: string
  beforeEach(async () => {
    const usedData = await createUsedData()
    project = createProjectFolder({
      'waggle.config.ts': CONFIG,
      'tasks/hello.ts': HELLO,
      ...greeting('Hello'),
    })
    dataDir = join(project.folder, '.data')
    usedData.copyTo(dataDir)
    usedData.remove()
  })
  afterEach(async () => {
    await killLeftovers()
    project.remove()
  })

  test('while an edit is being loaded whose services are never opened', async () => {
    await start({ DATA_DIR: dataDir, LOG_LEVEL: 'info' })
    project.write({
      'waggle.config.ts': CONFIG.replace(
        `log('services opened')`,
        `log('services wait')\n    return new Promise(() => {})`,
      ),
    })
    await untilPrinted('services wait')
    expect(await resultOf(await submit('Ada'))).toEqual({ text: 'Hello Ada !' })
    expect(await main.end('SIGTERM')).toBe(0)
    await untilPrinted('services closed')
  })

  test('also if the services never close', async () => {
    project.write({
      'waggle.config.ts': CONFIG.replace(`console.log('services closed')`, 'new Promise(() => {})'),
    })
    await start({ DATA_DIR: dataDir, LOG_LEVEL: 'info' })
    expect(await main.end('SIGTERM')).toBe(0)
  })
})

describe('with several processes', () => {
  let redis: RedisServer
  let database: TestDatabase
  beforeAll(async () => {
    ;[redis, database] = await Promise.all([startRedisServer(), createTestDatabase()])
  })
  afterAll(async () => {
    await killLeftovers()
    project?.remove()
    await Promise.all([redis.stop(), database.drop()])
  })

  test('an edit restarts the processes, and a broken one does not', async ({ skip }) => {
    if (database.url.startsWith('pglite:')) skip('needs a Postgres server')
    project = createProjectFolder({
      'waggle.config.ts': CONFIG,
      'tasks/hello.ts': HELLO,
      ...greeting('Hello'),
    })
    await start({ DATABASE_URL: database.url, REDIS_URL: redis.url, WORKER_PROCESSES: '2' })
    expect(await resultOf(await submit('Ada'))).toEqual({ text: 'Hello Ada !' })
    project.write({ 'tasks/greeting.ts': 'export const greeting = ' })
    await untilPrinted('Expression expected')
    expect(await resultOf(await submit('Ada'))).toEqual({ text: 'Hello Ada !' })
    project.write({
      ...greeting('Hello'),
      'waggle.config.ts': CONFIG.replace(`log('services opened')`, `throw new Error('refused')`),
    })
    await untilPrinted('A new process did not start')
    expect(main.output()).toContain('refused')
    expect(await resultOf(await submit('Ada'))).toEqual({ text: 'Hello Ada !' })
    project.write({ ...greeting('Hallo'), 'waggle.config.ts': CONFIG })
    await untilPrinted('Reloaded: ')
    expect(await resultOf(await submit('Ada'))).toEqual({ text: 'Hallo Ada !' })
    expect(await main.end('SIGTERM')).toBe(0)
  })
})

async function start(settings: Record<string, string>) {
  main = await startMain('dev', { WAGGLE_CONFIG: project.config, MARK: '!', ...settings })
  await untilPrinted('Waggle is ready')
  url = /is ready: (\S+)/.exec(main.output())?.[1] ?? ''
}

async function stateOfReload(): Promise<{ version: number; error: string | null }> {
  return (await fetch(`${url}/dev/reload`)).json() as Promise<{ version: number; error: string | null }>
}

function untilVersion(version: number) {
  return until(stateOfReload, (state) => state.version >= version, 120)
}

interface Task {
  id: string
  status: string
  is_final: boolean
  failures: number
  result: unknown
}

async function submit(name: string, definition = 'hello'): Promise<string> {
  const response = await fetch(`${url}/v1/tasks/${definition}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ input: { name } }),
  })
  expect(response.status).toBe(202)
  return ((await response.json()) as Task).id
}

async function read(id: string): Promise<Task> {
  return (await (await fetch(`${url}/v1/tasks/${id}`)).json()) as Task
}

function whenFinal(id: string): Promise<Task> {
  return until(
    () => read(id),
    (task) => task.is_final,
    120,
  )
}

async function resultOf(id: string): Promise<unknown> {
  return (await whenFinal(id)).result
}

function untilPrinted(text: string) {
  return until(
    async () => main.output(),
    (output) => output.includes(text),
    120,
  )
}
