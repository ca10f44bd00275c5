// Errors that no code handles, in the processes of the commands `worker` and `dev`.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { killLeftovers, type MainProcess, startMain } from '../support/main-process.ts'
import { processesOf } from '../support/process-tree.ts'
import { startSystem, until } from '../support/system.ts'

// A first start creates a database.
vi.setConfig({ testTimeout: 180_000 })

afterEach(killLeftovers)

// Loaded before the program: at SIGUSR2 the process throws an error that belongs to no task.
const THROW_AT_SIGNAL = {
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(
    `process.on('SIGUSR2', () => setImmediate(() => { throw new RangeError('astray') }))`,
  )}`,
}

function logged(process: MainProcess) {
  const lines = process.output().split('\n')
  return lines.flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []))
}

test('a worker logs the error with its stack and the running tasks, lets these finish, and is started again', async (context) => {
  const system = await startSystem({ worker: false })
  onTestFinished(() => system.stop())
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  const worker = await startMain('worker', {
    ...THROW_AT_SIGNAL,
    DATABASE_URL: system.database.url,
    REDIS_URL: system.redis.url,
  })
  const { id } = await system.submit('divide', { x: 1, y: 4 }, { max_retries: 0 })
  await system.taskWhen(id, ({ status }) => status === 'STARTED')
  const [failing] = processesOf(worker.pid, 'worker')
  process.kill(failing as number, 'SIGUSR2')
  await until(
    async () => logged(worker).filter(({ msg }) => msg === 'worker started'),
    (starts) => starts.length === 2,
  )
  expect(logged(worker)).toContainEqual(
    expect.objectContaining({ msg: 'a process has stopped', pid: failing, code: 1 }),
  )
  expect(await system.task(id)).toMatchObject({ status: 'SUCCESS', attempt: 1 })
  expect(logged(worker).filter(({ err }) => err)).toEqual([
    expect.objectContaining({
      level: 60,
      role: 'worker',
      msg: expect.stringMatching(/^An error was thrown outside of any attempt/),
      err: expect.objectContaining({
        type: 'RangeError',
        message: 'astray',
        stack: expect.stringContaining('data:text/javascript'),
      }),
      running: [expect.objectContaining({ taskId: id, name: 'divide', attempt: 1 })],
    }),
  ])
})

test('`npm start` says why it stops, and exits with 1', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'waggle-data-'))
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }))
  const dev = await startMain('dev', { ...THROW_AT_SIGNAL, DATA_DIR: dataDir })
  process.kill(dev.pid, 'SIGUSR2')
  expect(await dev.ended).toBe(1)
  expect(dev.output()).toContain('Waggle stops: An error was thrown outside of any attempt')
  // On a busy machine, connections that are slow to open are logged as warnings.
  const fatal = logged(dev).filter(({ level }) => level === 60)
  expect(fatal).toMatchObject([{ err: { message: 'astray' }, running: [] }])
})
