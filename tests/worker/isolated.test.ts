// Attempts in isolated processes: what a task does there affects this task only.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { sql } from '../../src/store/drizzle.ts'
import { createIsolatedDefinitions, type Fault, ISOLATED_SCRIPT } from '../support/isolated-definitions.ts'
import { type FullTask, startSystem, type TestSystem, until } from '../support/system.ts'
import { createTestDefinitions } from '../support/test-definitions.ts'

const PROCESSES = 2
let system: TestSystem
beforeAll(async () => {
  system = await startSystem({
    definitions: [...createTestDefinitions(), ...createIsolatedDefinitions()],
    worker: { isolated: { script: ISOLATED_SCRIPT, processes: PROCESSES } },
  })
})
afterAll(() => system.stop())

async function run(name: string, input: unknown, options?: object): Promise<FullTask> {
  const { id } = await system.submit(name, input, options)
  return system.taskWhenFinal(id)
}

const runFault = (fault: Fault, options?: object) => run('isolated_fault', { fault }, options)

test('an isolated task runs in another process, and its result is like any other', async () => {
  const input = { text: 'ä\u0000', list: [1, null, { deep: true }] }
  expect(await run('isolated_echo', input)).toMatchObject({ status: 'SUCCESS', result: input })
  const computed = await run('isolated_compute', { ms: 1 })
  expect((computed.result as { pid: number }).pid).not.toBe(process.pid)
})

test('an input and a result of 200 KB pass', async () => {
  expect(await run('isolated_echo', 'x'.repeat(200_000))).toMatchObject({ result: 'x'.repeat(200_000) })
})

test('the context is the same: ids, progress, log lines and the abort of a cancellation', async () => {
  const { id } = await system.submit('isolated_context', {})
  await system.taskWhen(id, ({ progress }) => progress.message === 'a quarter')
  expect(await system.task(id)).toMatchObject({ progress: { fraction: 0.25 }, attempt: 1 })
  await system.request('POST', `/v1/tasks/${id}/cancel`)
  const task = await system.taskWhenFinal(id)
  expect(task).toMatchObject({ status: 'SUCCESS', result: { id, attempt: 1, reason: 'cancelled' } })
  const { body } = await system.request('GET', `/v1/tasks/${id}/logs`)
  expect((body as { data: { message: string; fields: unknown }[] }).data).toMatchObject([
    { message: 'a line', fields: { number: 1, big: '2' } },
    { message: 'aborted: cancelled', fields: null },
  ])
})

test('progress of a handler that computes without a pause is visible', async () => {
  const { id } = await system.submit('isolated_compute', { ms: 3_000 })
  await system.taskWhen(id, ({ progress, is_final }) => progress.fraction > 0 && !is_final)
  expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS', attempt: 1 })
})

describe('a fault of one task', () => {
  const faults: [Fault, object, Partial<FullTask['error']> & object][] = [
    [
      'exit',
      {},
      {
        name: 'ProcessCrashed',
        message: 'The isolated process of the attempt exited with code 7',
        stderr: 'last words',
      },
    ],
    [
      'exit 0',
      {},
      { name: 'ProcessCrashed', message: 'The isolated process of the attempt exited with code 0' },
    ],
    ['abort', {}, { name: 'ProcessCrashed', message: expect.stringContaining('SIGABRT') }],
    ['kill', {}, { name: 'ProcessCrashed', message: expect.stringContaining('SIGKILL') }],
    [
      'leak',
      {},
      { name: 'MemoryLimitError', message: expect.stringMatching(/used \d+ MB.* its limit is 256 MB/) },
    ],
    [
      'loop',
      { timeout_seconds: 1 },
      {
        name: 'TimeoutError',
        message:
          'Timed out: an attempt may take 1 s. The handler ignored its AbortSignal for 0.3 s, so its process was killed',
      },
    ],
    [
      'ignore',
      { timeout_seconds: 1 },
      { name: 'TimeoutError', message: expect.stringContaining('was killed') },
    ],
    ['throw', {}, { name: 'PermanentError', message: 'as requested', retryable: false }],
    [
      'timer',
      {},
      { name: 'RangeError', message: expect.stringContaining('astray'), stack: expect.any(String) },
    ],
    ['shared connection', {}, { name: 'RangeError', message: expect.stringContaining('astray') }],
    [
      'exits at its abort',
      { timeout_seconds: 1 },
      {
        name: 'TimeoutError',
        message: 'Timed out: an attempt may take 1 s. Then its process exited with code 9',
      },
    ],
    ['unstorable', {}, { name: 'UnstorableResult' }],
    ['child processes', { timeout_seconds: 1 }, { name: 'TimeoutError' }],
  ]
  test.each(faults)(
    '%s: only this task fails, and its error has the reason',
    async (fault, options, error) => {
      const beside = await system.submit('sleep', { ms: 500 })
      const isolatedBeside = await system.submit('isolated_compute', { ms: 300 })
      const task = await runFault(fault, options)
      expect(task).toMatchObject({ status: 'FAILURE', error, failures: 1 })
      for (const { id } of [beside, isolatedBeside])
        expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS', attempt: 1, failures: 0 })
      await until(
        async () => linesOfPs('sleep 1000'),
        (found) => found.length === 0,
      )
    },
  )

  test('the standard error in an error is that of its own attempt', async () => {
    // Two processes: one of them runs the task that exits.
    await Promise.all([runFault('writes to stderr'), runFault('writes to stderr')])
    expect((await runFault('exit')).error?.stderr).toBe('last words')
  })

  test('task code cannot send messages to the worker', async () => {
    expect(await runFault('talks to the worker')).toMatchObject({ result: 'its own result' })
  })

  test('log lines from before a crash are kept', async () => {
    const { id } = await runFault('exit')
    const { body } = await system.request('GET', `/v1/tasks/${id}/logs`)
    expect(body).toMatchObject({ data: [{ message: 'before the fault', fields: { fault: 'exit' } }] })
  })

  test.each([
    ['', 0],
    [', read together with the end', 1_000],
  ])(
    'a rejection after the end of its attempt%s changes nothing, and its process runs no other attempt',
    async (_, blockMs) => {
      const { id } = await system.submit('isolated_fault', { fault: 'late rejection' })
      await system.taskWhen(id, ({ status }) => status === 'STARTED')
      // Blocks the event loop of the worker, which runs in this process.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockMs)
      const { result: pid, status } = await system.taskWhenFinal(id)
      expect(status).toBe('SUCCESS')
      await until(
        async () => system.emitted('error.unexpected'),
        (errors) =>
          errors.some(
            ({ taskId, error }) => taskId === id && error instanceof Error && error.message === 'late',
          ),
      )
      await until(
        async () => isRunning(pid as number),
        (isStill) => !isStill,
      )
      expect((await runFault('pid')).status).toBe('SUCCESS')
    },
  )
})

test('a process is replaced after its maximum number of attempts, and there are never more than the pool has', async () => {
  const pids = new Set<unknown>()
  for (let count = 0; count < 8; count++) pids.add((await runFault('pid')).result)
  // Two processes run at most three attempts each.
  expect(pids.size).toBeGreaterThanOrEqual(3)
  expect(isolatedProcesses().length).toBeLessThanOrEqual(PROCESSES)
})

test('a cancelled handler that ignores its signal is killed and ends as CANCELLED', async () => {
  const { id } = await system.submit('isolated_fault', { fault: 'loop' })
  await system.taskWhen(id, ({ status }) => status === 'STARTED')
  await until(
    async () => system.request('GET', `/v1/tasks/${id}/logs`),
    ({ body }) => (body as { data: unknown[] }).data.length > 0,
  )
  await system.request('POST', `/v1/tasks/${id}/cancel`)
  const task = await system.taskWhenFinal(id)
  expect(task).toMatchObject({ status: 'CANCELLED', error: { name: 'AbortIgnored' } })
})

test('isolated tasks that wait for a process do not delay others', async () => {
  const computing = await Promise.all(
    Array.from({ length: 4 * PROCESSES }, () => system.submit('isolated_compute', { ms: 500 })),
  )
  const quick = await run('reverse', { text: 'abc' })
  const states = await Promise.all(computing.map(({ id }) => system.task(id)))
  expect(quick.status).toBe('SUCCESS')
  expect(states.filter(({ status }) => status === 'STARTED').length).toBeLessThanOrEqual(PROCESSES)
  expect(states.some(({ status }) => status === 'PENDING')).toBe(true)
  for (const { id } of computing)
    expect(await system.taskWhenFinal(id)).toMatchObject({ attempt: 1, status: 'SUCCESS' })
})

test('a task that was submitted before its definition required isolation is put back once', async () => {
  const { id } = await system.submit('isolated_compute', { ms: 1 }, { delay_seconds: 1 })
  await system.connections.database.query(sql`update tasks set is_isolated = false where id = ${id}::uuid`)
  const task = await system.taskWhenFinal(id)
  expect(task).toMatchObject({ status: 'SUCCESS', attempt: 2, failures: 0, is_isolated: true })
})

test('a task that waits for an isolated process can be cancelled', async () => {
  const computing = await Promise.all(
    Array.from({ length: PROCESSES }, () => system.submit('isolated_compute', { ms: 1_500 })),
  )
  const { id } = await system.submit('isolated_compute', { ms: 1 })
  await system.request('POST', `/v1/tasks/${id}/cancel`)
  expect((await system.taskWhenFinal(id)).status).toBe('CANCELLED')
  for (const { id } of computing) await system.taskWhenFinal(id)
})

test('a definition that the processes do not have is reported at start, and its attempts fail with that message', async () => {
  const pattern = /Task "not_listed": .* they have no such definition/
  // Tests above also cause reports, e.g. if a process ends before it has begun its next attempt.
  const reports = () =>
    system.emitted('error.unexpected').filter(({ error }) => pattern.test((error as Error).message))
  await until(
    async () => reports(),
    ({ length }) => length > 0,
  )
  expect(reports()).toMatchObject([{ where: 'isolated processes' }])
  const message = expect.stringMatching(pattern)
  expect(await run('not_listed', {})).toMatchObject({ status: 'FAILURE', error: { message } })
})

test('a script that is missing for a while, as while npm replaces its package, costs its attempts no retry', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'waggle-isolated-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const script = join(folder, 'script.ts')
  const replaced = await startSystem({
    definitions: createIsolatedDefinitions(),
    worker: { isolated: { script, processes: 1 } },
  })
  onTestFinished(() => replaced.stop())
  const { id } = await replaced.submit('isolated_echo', 1)
  // The first error is that of the start of the worker, the second one that of the attempt.
  await until(
    async () => replaced.emitted('error.unexpected'),
    ({ length }) => length >= 2,
  )
  writeFileSync(script, `import ${JSON.stringify(ISOLATED_SCRIPT)}`)
  const { status, attempt, failures } = await replaced.taskWhenFinal(id)
  expect({ status, attempt, failures }).toEqual({ status: 'SUCCESS', attempt: 1, failures: 0 })
})

test('a script that still cannot be loaded then fails the attempts with its message, and the worker goes on', async () => {
  const broken = await startSystem({
    definitions: createIsolatedDefinitions(),
    worker: { isolated: { script: '/nonexistent/script.ts', processes: 1, loadRetryMs: 0 } },
  })
  try {
    const { id } = await broken.submit('isolated_echo', 1)
    const { status, error } = await broken.taskWhenFinal(id)
    expect({ status, name: error?.name }).toEqual({ status: 'FAILURE', name: 'IsolatedStartError' })
    expect(error?.stderr).toContain('/nonexistent/script.ts')
    const other = await broken.submit('reverse', { text: 'abc' })
    expect((await broken.taskWhenFinal(other.id)).status).toBe('SUCCESS')
  } finally {
    await broken.stop()
  }
})

test('a stopping worker kills a handler that computes, and releases its task', async () => {
  const other = await startSystem({
    definitions: createIsolatedDefinitions(),
    worker: false,
  })
  try {
    const worker = other.startWorker({ isolated: { script: ISOLATED_SCRIPT, processes: 1 } })
    const { id } = await other.submit('isolated_fault', { fault: 'loop' })
    await other.taskWhen(id, ({ status }) => status === 'STARTED')
    await worker.stop(100)
    expect(await other.task(id)).toMatchObject({ status: 'PENDING', failures: 0, attempt: 1 })
  } finally {
    await other.stop()
  }
})

/** Returns the isolated processes of this process. */
function isolatedProcesses() {
  return linesOfPs(ISOLATED_SCRIPT).filter((line) => line.split(/\s+/)[1] === String(process.pid))
}

/** Returns "pid ppid command line" of each running process whose command line contains `part`. */
function linesOfPs(part: string): string[] {
  const { stdout } = spawnSync('ps', ['-eo', 'pid,ppid,args'], { encoding: 'utf8' })
  const lines = stdout.split('\n').map((line) => line.trim())
  return lines.filter((line) => line.includes(part))
}

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
