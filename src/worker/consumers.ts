// One consumer per queue, and a watch over each: one that takes nothing although something has long been waiting and a
// slot is free is replaced by a new one. What runs is not touched by that.
import type { Consumer, FetchedDelivery, Queue } from '../redis/queue.ts'
import type { Events } from '../telemetry/events.ts'
import type { Slots } from './slots.ts'

export interface Consumers {
  /** Tells what was seen of a queue: when its oldest waiting delivery was rung, in milliseconds; null when none waits. */
  watch(queueName: string, oldestWaitingMs: number | null): Promise<void>
  stop(): Promise<void>
}

export interface ConsumersOptions {
  queues: string[]
  queue: Queue
  slots: Slots
  take: (queueName: string, delivery: FetchedDelivery) => Promise<void>
  events: Events
  /** For how long something may wait beside a free slot before its consumer counts as stuck. */
  stuckMs: number
}

// While one delivery is being claimed the next is already on its way.
const FETCHES = 2

export function startConsumers({ queues, queue, slots, take, events, stuckMs }: ConsumersOptions): Consumers {
  const byQueue = new Map(queues.map((name) => [name, start(name)]))

  return {
    async watch(queueName, oldestWaitingMs) {
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
      await take(name, delivery)
      // Being full is no fault of the consumer's: its time counts from the next free slot on.
      started.lastFetchedMs = Date.now()
    })
    const started = { consumer, lastFetchedMs: Date.now() }
    return started
  }
}
