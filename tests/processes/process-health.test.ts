// The health of a supervisor: the worst of its processes.
import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'
import type { ManagedProcess } from '../../src/processes/managed-process.ts'
import { createProcessHealth, LIVE } from '../../src/processes/process-health.ts'
import type { Slot } from '../../src/processes/slot.ts'
import { until } from '../support/system.ts'

// The health reads only these members of a slot and a process.
function slotOf(
  name: string,
  current: Partial<ManagedProcess> | null,
  state: Slot['state'] = 'running',
): Slot {
  return { name, state, current } as Slot
}

const OK = { status: 'ok' }
const healthy: Partial<ManagedProcess> = {
  isReady: true,
  ask: async (question) => (question === LIVE ? '' : OK),
}
const computing: Partial<ManagedProcess> = { isReady: true, ask: async () => undefined }
const starting: Partial<ManagedProcess> = { isReady: false, ask: async () => undefined }

test('is live and ready if all processes are', async () => {
  const health = createProcessHealth([
    slotOf('worker process 1', healthy),
    slotOf('worker process 2', healthy),
  ])
  expect([await health.livenessFault(), await health.readiness()]).toEqual([null, OK])
})

test('is not live while a process waits for its restart', async () => {
  const health = createProcessHealth([
    slotOf('api process 1', healthy),
    slotOf('api process 2', null, 'waiting'),
  ])
  expect(await health.livenessFault()).toBe('The api process 2 does not run: it is started again soon')
  expect(await health.readiness()).toMatchObject({ status: 'unavailable' })
})

test('is not live if a process says so, and has its reason', async () => {
  const stuck = { ...healthy, ask: async () => 'The heartbeat of the worker has stopped' }
  const health = createProcessHealth([slotOf('worker process', healthy), slotOf('worker process', stuck)])
  expect(await health.livenessFault()).toBe('The heartbeat of the worker has stopped')
})

test('a process that computes or starts is live, but not ready', async () => {
  for (const [process, reason] of [
    [computing, 'The worker process does not answer'],
    [starting, 'The worker process is not ready yet'],
  ] as const) {
    const health = createProcessHealth([slotOf('worker process', process)])
    expect(await health.livenessFault()).toBe(null)
    expect(await health.readiness()).toEqual({ status: 'unavailable', reason })
  }
})

test('a process that was stopped by a signal is not live', async () => {
  const child = spawn('sleep', ['60'])
  try {
    child.kill('SIGSTOP')
    const health = createProcessHealth([slotOf('worker process', { ...computing, pid: child.pid })])
    await until(
      async () => health.livenessFault(),
      (fault) => fault === 'The worker process was stopped by a signal',
    )
  } finally {
    child.kill('SIGKILL')
  }
})

test('the worst readiness counts', async () => {
  const degraded = {
    ...healthy,
    ask: async () => ({ status: 'degraded', reason: 'Redis cannot be reached' }),
  }
  const health = createProcessHealth([slotOf('api process', healthy), slotOf('worker process', degraded)])
  expect(await health.readiness()).toEqual({ status: 'degraded', reason: 'Redis cannot be reached' })
})
