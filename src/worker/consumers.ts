// Runs one consumer per queue, which fetches deliveries from Redis. A consumer is stuck if it fetches nothing
// although a delivery has waited for long and a slot is free; then it is replaced. Running tasks continue.
import type { Consumer, FetchedDelivery, Queue } from '../redis/queue.ts'
import type { Events } from '../telemetry/events.ts'
import type { Slots } from './slots.ts'

export interface Consumers {
  /**
   * Replaces the consumer of a queue if it is stuck, and emits `worker.stuck`.
   * @param oldestWaitingMs when the oldest waiting delivery was enqueued (ms since 1970); null if none waits
   */
  check(queueName: string, oldestWaitingMs: number | null): Promise<void>
  stop(): Promise<void>
}

export interface ConsumersOptions {
  queues: string[]
  queue: Queue
  slots: Slots
  handle: (queueName: string, delivery: FetchedDelivery) => Promise<void>
  events: Events
  /** A consumer is stuck if a delivery has waited and the consumer has fetched nothing for this long. */
  stuckMs: number
}

// Number of deliveries that a consumer handles at the same time. With two, the next delivery is fetched while
// the tasks of the first one are being claimed.
const FETCHES = 2

export function startConsumers({
  queues,
  queue,
  slots,
  handle,
  events,
  stuckMs,
}: ConsumersOptions): Consumers {
  const byQueue = new Map(queues.map((name) => [name, start(name)]))

  return {
    async check(queueName, oldestWaitingMs) {
      const watched = byQueue.get(queueName)
      if (!watched || slots.available === 0 || oldestWaitingMs === null) return
      const sinceMs = Math.max(oldestWaitingMs, watched.lastFetchedMs)
      if (Date.now() - sinceMs < stuckMs) return
      events.emit('worker.stuck', { queue: queueName, waitingMs: Date.now() - oldestWaitingMs })
      byQueue.set(queueName, start(queueName))
      await watched.consumer.stop()
    },
    async stop() {
      await Promise.all([...byQueue.values()].map(({ consumer }) => consumer.stop()))
    },
  }

  function start(name: string): { consumer: Consumer; lastFetchedMs: number } {
    const consumer = queue.consume(name, FETCHES, async (delivery) => {
      started.lastFetchedMs = Date.now()
      await handle(name, delivery)
      // A handled delivery counts like a new fetch: `handle` may have waited long for a free slot, and this
      // wait must not make the consumer count as stuck.
      started.lastFetchedMs = Date.now()
    })
    const started = { consumer, lastFetchedMs: Date.now() }
    return started
  }
}
