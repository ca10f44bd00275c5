// The dispatcher during a long backlog: it stops, and other queues have their turns.
import { expect, test } from 'vitest'
import { pause } from '../../src/base/loop.ts'
import { newId } from '../../src/base/uuidv7.ts'
import type { Queue } from '../../src/redis/queue.ts'
import type { DispatchStore, DueTask } from '../../src/store/dispatch-store.ts'
import { createEvents } from '../../src/telemetry/events.ts'
import { startDispatcher } from '../../src/worker/loops/dispatcher.ts'
import { until } from '../support/system.ts'

test('a dispatcher stops although more tasks are always due', async () => {
  let batches = 0
  const dispatcher = start(async (queue, limit) => {
    batches++
    return dueTasks(queue, limit)
  })
  await until(
    async () => batches,
    (count) => count > 10,
  )
  await dispatcher.stop()
  const batchesAtStop = batches
  await new Promise((resolve) => setImmediate(resolve))
  expect(batches).toBe(batchesAtStop)
})

test('a task of another queue that becomes due during a backlog has to wait for one batch only', async () => {
  const taken: string[] = []
  let isDue = false
  const dispatcher = start(async (queue, limit) => {
    taken.push(queue)
    if (queue === 'a') return dueTasks(queue, limit)
    const tasks = dueTasks(queue, isDue ? 1 : 0)
    isDue = false
    return tasks
  })
  await until(
    async () => taken.filter((name) => name === 'a').length,
    (count) => count > 10,
  )
  isDue = true
  const atStart = taken.length
  dispatcher.wakeIn(0)
  await until(async () => !isDue, Boolean)
  await dispatcher.stop()
  // The batch that is under way, and the one of this round.
  expect(taken.slice(atStart).indexOf('b')).toBeLessThanOrEqual(2)
})

test('a full queue does not make the dispatcher search the other queues more often', async () => {
  let searches = 0
  let looks = 0
  const dispatcher = start(
    async () => {
      searches++
      return []
    },
    async (queue) => {
      if (queue === 'a') looks++
      return { deliveries: queue === 'a' ? 1_000 : 0, maxDeliveries: 1_000, hasBacklog: queue === 'a' }
    },
  )
  await until(
    async () => looks,
    (count) => count > 6,
  )
  await dispatcher.stop()
  expect(searches).toBeLessThanOrEqual(2)
})

test('an error in one queue does not prevent the turns of the others', async () => {
  const taken: string[] = []
  const dispatcher = start(async (queue) => {
    if (queue === 'a') throw new Error('no')
    taken.push(queue)
    return []
  })
  await until(async () => taken.includes('b'), Boolean)
  await dispatcher.stop()
})

test('a backlog does not end while Redis refuses its tasks', async () => {
  const ended: string[] = []
  let refusals = 0
  const dispatcher = start(async (queue) => dueTasks(queue, 1), undefined, {
    async enqueueMany() {
      refusals++
      return false
    },
    async setBacklog(queue, hasBacklog) {
      if (!hasBacklog) ended.push(queue)
    },
  })
  await until(
    async () => refusals,
    (count) => count > 3,
  )
  await dispatcher.stop()
  expect(ended).toEqual([])
})

/** Starts a dispatcher of the queues `a` and `b`, with room in Redis and a fake store. */
function start(
  take: (queue: string, limit: number) => Promise<DueTask[]>,
  readState: Queue['readState'] = async () => ({ deliveries: 0, maxDeliveries: 1_000, hasBacklog: true }),
  others: Partial<Queue> = {},
) {
  const dispatchStore = {
    async markDueEnqueued(queue: string, limit: number) {
      await pause(5)
      return take(queue, limit)
    },
    async clearEnqueued() {},
    statesOf: async () => ({ paused: new Set(), limited: new Set() }),
    msUntilDue: async () => null,
  } as unknown as DispatchStore
  const queue = {
    isReady: () => true,
    enqueueMany: async () => true,
    readState,
    setBacklog: async () => {},
    ...others,
  } as unknown as Queue
  return startDispatcher({
    queues: ['a', 'b'],
    addIsolatedQueues: async () => {},
    queue,
    dispatchStore,
    hold: async () => {},
    events: createEvents(),
    intervalMs: 1_000,
  })
}

function dueTasks(queue: string, count: number): DueTask[] {
  const times = { enqueuedAtMs: 0, runAtMs: 0 }
  return Array.from({ length: count }, () => ({
    id: newId(),
    attempt: 0,
    queue,
    isIsolated: false,
    name: 'a',
    priority: null,
    isHeld: false,
    ...times,
  }))
}
