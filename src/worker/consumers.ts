// Runs one consumer per delivery queue, which fetches deliveries from Redis. A consumer is stuck if it
// fetches nothing although a delivery has waited for long and a slot is free; then it is replaced. Running
// tasks continue.
import type { Consumer, FetchedDelivery, Queue } from '../redis/queue.ts'
import type { Events } from '../telemetry/events.ts'
import type { Slots } from './attempts/slots.ts'

export interface Consumers {
  /**
   * Replaces the consumer of a queue if it is stuck, and emits `worker.stuck`. Called every few seconds.
   * @param isWaiting whether a delivery waits in the queue now
   */
  check(queueName: string, isWaiting: boolean): Promise<void>
  /** Starts the consumer of one more queue. */
  add(queueName: string): void
  stop(): Promise<void>
}

export interface ConsumersOptions {
  queues: string[]
  queue: Queue
  slots: Slots
  handle: (queueName: string, delivery: FetchedDelivery) => Promise<void>
  events: Events
  /**
   * A consumer is stuck if it has fetched nothing for this long, although a delivery waited and a slot was
   * free at every check.
   */
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
  let isStopped = false

  return {
    add(queueName) {
      if (!isStopped && !byQueue.has(queueName)) byQueue.set(queueName, start(queueName))
    },
    async check(queueName, isWaiting) {
      const watched = byQueue.get(queueName)
      if (!watched) return
      if (!isWaiting || slots.available === 0) watched.idleSinceMs = null
      else watched.idleSinceMs ??= performance.now()
      if (watched.idleSinceMs === null) return
      const waitingMs = performance.now() - watched.idleSinceMs
      if (waitingMs < stuckMs) return
      events.emit('worker.stuck', { queue: queueName, waitingMs })
      byQueue.set(queueName, start(queueName))
      await watched.consumer.stop()
    },
    async stop() {
      isStopped = true
      await Promise.all([...byQueue.values()].map(({ consumer }) => consumer.stop()))
    },
  }

  function start(name: string): WatchedConsumer {
    const consumer = queue.consume(name, FETCHES, async (delivery) => {
      watched.idleSinceMs = null
      await handle(name, delivery)
      // A handled delivery counts like a new fetch: `handle` may have waited long for a free slot, and this
      // wait must not make the consumer count as stuck.
      watched.idleSinceMs = null
    })
    const watched: WatchedConsumer = { consumer, idleSinceMs: null }
    return watched
  }
}

interface WatchedConsumer {
  consumer: Consumer
  /**
   * Time of the first check (`performance.now()`) since which every check found a waiting delivery and a free
   * slot, and nothing was fetched; null if the last check did not find both or a delivery was fetched since.
   */
  idleSinceMs: number | null
}
