// The dispatcher stops in the middle of a long backlog.
import { expect, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import type { Queue } from '../../src/redis/queue.ts'
import type { DispatchStore } from '../../src/store/dispatch-store.ts'
import { createEvents } from '../../src/telemetry/events.ts'
import { startDispatcher } from '../../src/worker/dispatcher.ts'
import { until } from '../support/system.ts'

test('a dispatcher stops although more tasks are always due', async () => {
  let batches = 0
  // The store returns as many due tasks as requested, without end.
  const dispatchStore = {
    markDueEnqueued: async (queue: string, limit: number) => {
      batches++
      await new Promise((resolve) => setImmediate(resolve))
      const times = { enqueuedAtMs: 0, runAtMs: 0 }
      return Array.from({ length: limit }, () => ({ id: newId(), attempt: 0, queue, ...times }))
    },
    pausedAmong: async () => new Set(),
  } as unknown as DispatchStore
  const queue = {
    isReady: () => true,
    enqueueMany: async () => true,
    readState: async () => ({ deliveries: 0, maxDeliveries: 1_000, hasBacklog: true }),
  } as unknown as Queue
  const dispatcher = startDispatcher({
    queues: ['a', 'b'],
    queue,
    dispatchStore,
    events: createEvents(),
    intervalMs: 10,
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
