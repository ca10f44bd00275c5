// The supervisor, with processes that the test controls: crash recovery, rolling restarts, the memory limit,
// stops.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { AppError } from '../../src/base/errors.ts'
import { createProcessLog } from '../../src/processes/process-log.ts'
import { createSupervisor, type Supervisor } from '../../src/processes/supervisor.ts'
import { CRASH, type FakeProcess, fakeProcess, IN_ORDER, settled } from './support/fake-process.ts'

const MIB = 1024 * 1024

let forked: FakeProcess[]
let lines: Record<string, unknown>[]
let recovered: string[]
let recover: (workerId: string, isCrash: boolean) => Promise<{ taskId: string; name: string }[]>
let memoryBytes: number
let supervisor: Supervisor

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  forked = []
  lines = []
  recovered = []
  recover = async () => []
  memoryBytes = 100 * MIB
  supervisor = createSupervisor({
    roles: [
      {
        name: 'worker',
        count: 2,
        stopLimitMs: 10_000,
        maxMemoryBytes: 500 * MIB,
        fork(number) {
          const process = fakeProcess(forked.length + 1, {
            name: `worker process ${number}`,
            workerId: `id-${forked.length + 1}`,
            ask: async () => memoryBytes,
          })
          forked.push(process)
          return process
        },
      },
    ],
    log: createProcessLog('info', 'test', (line) => lines.push(JSON.parse(line))),
    async recover(workerId, isCrash) {
      recovered.push(workerId)
      return recover(workerId, isCrash)
    },
  })
})
afterEach(async () => {
  void supervisor.kill()
  vi.useRealTimers()
})

function at(index: number): FakeProcess {
  const process = forked[index]
  if (!process) throw new Error(`process ${index} was not forked`)
  return process
}

const messages = () => lines.map(({ msg }) => msg)

async function start() {
  const started = supervisor.start()
  await settled()
  await at(0).becomeReady()
  await at(1).becomeReady()
  expect(await started).toBe(true)
  expect(lines.splice(0)).toMatchObject([{ processes: 2, msg: 'all processes are ready' }])
}

test('the first process starts alone; if it fails, the others are not started', async () => {
  const started = supervisor.start()
  await settled()
  expect(forked).toHaveLength(1)
  await at(0).end({ code: 7, signal: null })
  expect([await started, await supervisor.failed, forked.length]).toEqual([false, 7, 1])
  expect(recovered).toEqual([])
})

test('a worker that dies is logged, its tasks are put back, and it is started again', async () => {
  await start()
  recover = async () => [{ taskId: 'a', name: 'reverse' }]
  await at(1).end(CRASH)
  await settled()
  expect(recovered).toEqual(['id-2'])
  expect(lines).toMatchObject([
    { level: 50, process: 'worker process 2', pid: 2, signal: 'SIGKILL', msg: 'a process has died' },
    { level: 40, workerId: 'id-2', tasks: [{ taskId: 'a', name: 'reverse' }] },
  ])
  expect(at(2).name).toBe('worker process 2')
})

test('a worker that exits with 0 without an orderly stop has died', async () => {
  await start()
  await at(0).end({ code: 0, signal: null, hasStopped: false })
  expect(recovered).toEqual(['id-1'])
})

test('a worker that has stopped in order by itself is started again without a recovery', async () => {
  await start()
  await at(0).end({ code: 1, signal: null, hasStopped: true })
  await settled()
  expect([recovered, forked.length]).toEqual([[], 3])
})

test('the tasks of a worker that could not release them are recovered, but not as those of a crash', async () => {
  const crashes: boolean[] = []
  recover = async (_workerId, isCrash) => {
    crashes.push(isCrash)
    return []
  }
  await start()
  await at(0).end({ ...IN_ORDER, hasReleasedAll: false })
  expect(crashes).toEqual([false])
  await at(1).end(CRASH)
  expect(crashes).toEqual([false, true])
})

test('a recovery that fails is repeated every second until it succeeds', async () => {
  await start()
  recover = async () => {
    if (recovered.length === 1) throw new AppError('unavailable', 'Postgres cannot be reached')
    if (recovered.length === 2) throw new Error('deadlock detected')
    return []
  }
  await at(0).end(CRASH)
  expect(recovered).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(recovered).toHaveLength(2)
  await vi.advanceTimersByTimeAsync(10_000)
  expect(recovered).toEqual(['id-1', 'id-1', 'id-1'])
})

test('a rolling restart replaces one process after the other, and a second one meanwhile is ignored', async () => {
  await start()
  const restarted = supervisor.restart()
  await settled()
  await supervisor.restart()
  expect(messages()).toContainEqual(expect.stringContaining('a rolling restart is ignored'))
  await at(2).becomeReady()
  expect([at(0).requests, at(1).requests, forked.length]).toEqual([['replace'], [], 3])
  await at(0).end(IN_ORDER)
  await at(3).becomeReady()
  await at(1).end(IN_ORDER)
  await restarted
  expect(supervisor.slots.map(({ current }) => current?.pid)).toEqual([3, 4])
  expect(messages().at(-1)).toBe('the rolling restart has ended')
  expect(recovered).toEqual([])
})

test('a rolling restart is given up when a new process does not start', async () => {
  await start()
  const restarted = supervisor.restart()
  await settled()
  await at(2).end({ code: 1, signal: null })
  await restarted
  expect([at(0).requests, at(1).requests, forked.length]).toEqual([[], [], 3])
  expect(messages().at(-1)).toMatch(/^the rolling restart was given up/)
})

test('a rolling restart during the start is ignored', async () => {
  const started = supervisor.start()
  await supervisor.restart()
  await at(0).becomeReady()
  await at(1).becomeReady()
  await started
  expect(forked).toHaveLength(2)
})

test('a stop during a rolling restart ends all processes and starts none', async () => {
  await start()
  const restarted = supervisor.restart()
  await settled()
  const stopped = supervisor.stop()
  for (const process of forked) {
    expect(process.requests).toEqual(['terminate'])
    await process.end(IN_ORDER)
  }
  await restarted
  expect(await stopped).toBe(true)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(forked).toHaveLength(3)
})

test('two processes that die at the same time are both started again', async () => {
  await start()
  await Promise.all([at(0).end(CRASH), at(1).end(CRASH)])
  await settled()
  await at(2).becomeReady()
  await at(3).becomeReady()
  expect(supervisor.slots.map(({ state }) => state)).toEqual(['running', 'running'])
  expect(recovered).toEqual(['id-1', 'id-2'])
})

test('a process above its memory limit is replaced, one at a time, and not in its first minute', async () => {
  await start()
  memoryBytes = 600 * MIB
  await vi.advanceTimersByTimeAsync(50_000)
  expect(forked).toHaveLength(2)
  expect(messages()).toEqual([
    expect.stringContaining('WORKER_MAX_MEMORY_MB is too low'),
    expect.stringContaining('WORKER_MAX_MEMORY_MB is too low'),
  ])
  await vi.advanceTimersByTimeAsync(15_000)
  expect(forked).toHaveLength(3)
  await at(2).becomeReady()
  await vi.advanceTimersByTimeAsync(5_000)
  expect([at(0).requests, forked.length]).toEqual([['replace'], 3])
  await at(0).end(IN_ORDER)
  await vi.advanceTimersByTimeAsync(5_000)
  expect(forked).toHaveLength(4)
  expect(lines.at(-1)).toMatchObject({ process: 'worker process 2', mb: 600, max_mb: 500 })
})

test('kill ends all processes', async () => {
  await start()
  const killed = supervisor.kill()
  for (const process of forked) {
    expect(process.requests).toEqual(['kill'])
    await process.end(CRASH)
  }
  await killed
})
