// The states of one slot, with processes that the test controls.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { ProcessEnd } from '../../src/processes/managed-process.ts'
import { createProcessLog } from '../../src/processes/process-log.ts'
import { createSlot, type Slot } from '../../src/processes/slot.ts'
import { CRASH, type FakeProcess, fakeProcess, IN_ORDER, settled } from './support/fake-process.ts'

let forked: FakeProcess[]
let ends: ProcessEnd[]
let failedStarts: ProcessEnd[]
let slot: Slot

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  forked = []
  ends = []
  failedStarts = []
  slot = createSlot({
    name: 'worker process',
    fork() {
      const process = fakeProcess(forked.length + 1)
      forked.push(process)
      return process
    },
    log: createProcessLog('silent', 'test'),
    stopLimitMs: 10_000,
    onEnd: (_process, end) => ends.push(end),
    onFailedStart: (end) => failedStarts.push(end),
  })
})
afterEach(() => void vi.useRealTimers())

function at(index: number): FakeProcess {
  const process = forked[index]
  if (!process) throw new Error(`process ${index} was not forked`)
  return process
}

async function startRunning() {
  const started = slot.start()
  await at(0).becomeReady()
  expect(await started).toBe(true)
}

test('a process that dies is started again: at once, then after pauses that double up to 10 s', async () => {
  await startRunning()
  const pauses: number[] = []
  for (let death = 0; death < 10; death++) {
    await at(death).end()
    let pauseMs = 0
    while (forked.length === death + 1) {
      await vi.advanceTimersByTimeAsync(100)
      pauseMs += 100
    }
    pauses.push(pauseMs)
    await at(death + 1).becomeReady()
    expect(slot.state).toBe('running')
  }
  expect(pauses).toEqual([0, 100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000])
})

test('a process that has run for a minute resets the pauses', async () => {
  await startRunning()
  await at(0).end()
  await at(1).becomeReady()
  await vi.advanceTimersByTimeAsync(60_000)
  await at(1).end()
  await settled()
  expect(forked).toHaveLength(3)
})

test('a first process that ends before it is ready is not started again', async () => {
  const started = slot.start()
  await at(0).end({ code: 1, signal: null })
  expect(await started).toBe(false)
  await vi.advanceTimersByTimeAsync(60_000)
  expect([slot.state, forked.length, failedStarts]).toEqual([
    'stopped',
    1,
    [{ ...CRASH, code: 1, signal: null }],
  ])
})

test('a later process that ends before it is ready is started again', async () => {
  await startRunning()
  await at(0).end()
  await at(1).end({ code: 1 })
  await vi.advanceTimersByTimeAsync(1_000)
  expect([forked.length, failedStarts]).toEqual([3, []])
})

test('a replacement takes the place when it is ready; then the old process stops', async () => {
  await startRunning()
  const replaced = slot.replace()
  await settled()
  expect([at(0).requests, slot.current]).toEqual([[], at(0)])
  await at(1).becomeReady()
  expect([at(0).requests, slot.current]).toEqual([['replace'], at(1)])
  await at(0).end(IN_ORDER)
  expect(await replaced).toBe(true)
  expect([slot.state, slot.processes()]).toEqual(['running', [at(1)]])
})

test('a replacement that does not start leaves the old process in its place', async () => {
  await startRunning()
  const replaced = slot.replace()
  await at(1).end({ code: 1 })
  expect(await replaced).toBe(false)
  expect([slot.state, slot.current, at(0).requests]).toEqual(['running', at(0), []])
  const again = slot.replace()
  await at(2).becomeReady()
  await at(0).end(IN_ORDER)
  expect(await again).toBe(true)
})

test('a replacement that is never ready is killed', async () => {
  await startRunning()
  const replaced = slot.replace()
  await vi.advanceTimersByTimeAsync(120_000)
  expect(at(1).requests).toEqual(['kill'])
  await at(1).end()
  expect([await replaced, slot.current]).toEqual([false, at(0)])
})

test('a process that dies while its replacement starts is not started again', async () => {
  await startRunning()
  const replaced = slot.replace()
  await at(0).end()
  expect([slot.state, slot.current]).toEqual(['starting', at(1)])
  await at(1).becomeReady()
  expect([await replaced, slot.state, forked.length]).toEqual([true, 'running', 2])
})

test('a process and its replacement that both die are started again', async () => {
  await startRunning()
  const replaced = slot.replace()
  await at(0).end()
  await at(1).end()
  expect(await replaced).toBe(false)
  await vi.advanceTimersByTimeAsync(1_000)
  await at(2).becomeReady()
  expect([slot.state, slot.processes()]).toEqual(['running', [at(2)]])
})

test('only one replacement starts at a time, and none while the process does not run', async () => {
  expect(await slot.replace()).toBe(false)
  await startRunning()
  void slot.replace()
  expect(await slot.replace()).toBe(false)
  expect(forked).toHaveLength(2)
})

test('a stop ends the process, and kills it after the limit', async () => {
  await startRunning()
  const stopped = slot.stop()
  expect(at(0).requests).toEqual(['terminate'])
  await vi.advanceTimersByTimeAsync(10_000)
  expect(at(0).requests).toEqual(['terminate', 'kill'])
  await at(0).end()
  expect(await stopped).toBe(false)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(forked).toHaveLength(1)
})

test('a stop during a replacement ends both processes', async () => {
  await startRunning()
  const replaced = slot.replace()
  const stopped = slot.stop()
  expect([at(0).requests, at(1).requests]).toEqual([['terminate'], ['terminate']])
  await at(1).end({ signal: 'SIGTERM' })
  await at(0).end(IN_ORDER)
  expect([await stopped, await replaced]).toEqual([true, false])
})

test('a stop during the pause before a restart starts nothing', async () => {
  await startRunning()
  await at(0).end()
  await at(1).end()
  expect(slot.state).toBe('waiting')
  expect(await slot.stop()).toBe(true)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(forked).toHaveLength(2)
})

test('the end of every process is reported once', async () => {
  await startRunning()
  const replaced = slot.replace()
  await at(1).becomeReady()
  await at(0).end(IN_ORDER)
  await replaced
  await at(1).end()
  expect(ends).toEqual([IN_ORDER, CRASH])
})
