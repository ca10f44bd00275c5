// What a loop of many steps does when its worker is to stop.
import { expect, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import type { Queue } from '../../src/redis/queue.ts'
import type { DispatchStore } from '../../src/store/dispatch-store.ts'
import { createEvents } from '../../src/telemetry/events.ts'
import { startDispatcher } from '../../src/worker/dispatcher.ts'
import { until } from '../support/system.ts'

test('a dispatcher stops although what is to be rung has no end', async () => {
  let batches = 0
  // More than anybody would wait to insert: whatever is asked for is there.
  const bells = {
    markDueEnqueued: async (queue: string, limit: number) => {
      batches++
      await new Promise((resolve) => setImmediate(resolve))
      return Array.from({ length: limit }, () => ({ id: newId(), attempt: 0, queue }))
    },
    msUntilDue: async () => null,
  } as unknown as DispatchStore
  const queue = { isReady: () => true, enqueueMany: async () => {} } as unknown as Queue
  const dispatcher = startDispatcher({
    queues: ['a', 'b'],
    queue,
    dispatchStore: bells,
    events: createEvents(),
    intervalMs: 10,
  })
  await until(
    async () => batches,
    (count) => count > 10,
  )
  await dispatcher.stop()
  const atTheEnd = batches
  await new Promise((resolve) => setImmediate(resolve))
  expect(batches).toBe(atTheEnd)
})
