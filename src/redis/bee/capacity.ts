// Limits how many deliveries wait in Redis, so that Redis needs a bounded amount of memory whatever the
// backlog. All other waiting tasks stay in Postgres, and the dispatcher enqueues them when there is room.
import type BeeQueue from 'bee-queue'
import { internalsOf, promised } from './connection.ts'

/**
 * Maximum number of deliveries that wait in one queue. A delivery of 128 references needs 6 KB, so a full
 * queue needs up to 12 MB. Under a load that the workers can serve, far fewer wait.
 */
export const MAX_DELIVERIES = 2_000
// Maximum per queue while more than half of the memory of Redis is in use. It is not 0, so that every queue
// makes progress when other data fills Redis: the dispatcher tops the queue up 40 times per second.
const MAX_DELIVERIES_WHEN_HALF_FULL = 8
// Minimum time between two reads of the memory that Redis uses. In this time a process adds less than a
// megabyte. A read takes Redis less than 0.1 ms.
const READ_EVERY_MS = 100

export interface Capacity {
  /**
   * Maximum number of deliveries that may wait in one queue, by the last known memory use. Reads the memory
   * use again in the background if it is old.
   */
  maxDeliveries(bee: BeeQueue): number
}

/** @param maxDeliveries maximum per queue while at most half of the memory of Redis is in use */
export function createCapacity(maxDeliveries: number, onError: (error: unknown) => void): Capacity {
  let isHalfFull = false
  let isReading = false
  let lastReadMs = Number.NEGATIVE_INFINITY

  return {
    maxDeliveries(bee) {
      if (!isReading && performance.now() - lastReadMs > READ_EVERY_MS) void read(bee)
      return isHalfFull ? Math.min(maxDeliveries, MAX_DELIVERIES_WHEN_HALF_FULL) : maxDeliveries
    },
  }

  async function read(bee: BeeQueue) {
    isReading = true
    try {
      isHalfFull = (await readMemory(bee)).isHalfFull
    } catch (error) {
      onError(error)
    }
    lastReadMs = performance.now()
    isReading = false
  }
}

/** Reads how much of `maxmemory` is in use. Without a limit, Redis is never full. */
export async function readMemory(bee: BeeQueue): Promise<{ isHalfFull: boolean; isFull: boolean }> {
  const info = await promised<string>(bee, (done) => internalsOf(bee).client?.info('memory', done))
  const used = Number(/^used_memory:(\d+)/m.exec(info)?.[1] ?? 0)
  const max = Number(/^maxmemory:(\d+)/m.exec(info)?.[1] ?? 0)
  return { isHalfFull: max > 0 && used > max / 2, isFull: max > 0 && used >= max }
}
