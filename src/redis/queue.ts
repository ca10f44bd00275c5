// Delivers task references to workers over Redis. A delivery is one Bee-Queue job: a list of references to
// tasks of one queue. It holds no state of the tasks, so losing a delivery loses no task.

import { isUuid, newId, timeOfId } from '../base/uuidv7.ts'
import type { Pairs } from './bee/connection.ts'
import { startConsumer } from './bee/consumer.ts'
import { type BeeProducer, connectProducer } from './bee/producer.ts'
import type { BeeRole } from './bee/settings.ts'

/** Names a task that waits. */
export interface TaskReference {
  id: string
  /**
   * The task's last attempt when it was enqueued; 0 before the first. If a newer attempt exists, a claim
   * ignores the reference.
   */
  attempt: number
}

export interface Delivery {
  references: TaskReference[]
  /** When the tasks were enqueued, in milliseconds since 1970. */
  enqueuedAtMs: number
}

export interface FetchedDelivery extends Delivery {
  /** Removes the delivery before its handler returns. Allowed when all references are claimed or returned. */
  acknowledge(): Promise<void>
}

/** When the oldest delivery was enqueued, in milliseconds since 1970; null if there is none. */
export interface OldestDeliveries {
  /** Among the deliveries that no worker has fetched. */
  waitingMs: number | null
  /** Among the deliveries that workers have fetched and not acknowledged. */
  beingClaimedMs: number | null
}

export interface Queue {
  /** Puts references behind all that wait. @throws immediately when Redis cannot be reached */
  enqueueMany(queueName: string, references: TaskReference[]): Promise<void>
  /**
   * Puts references that a worker has no slot for in front of all that wait.
   * @throws immediately when Redis cannot be reached
   */
  returnToQueue(queueName: string, delivery: Delivery): Promise<void>
  /**
   * Calls `handle` with each delivery, up to `fetches` at a time. The next fetch starts when a call resolves.
   */
  consume(queueName: string, fetches: number, handle: (delivery: FetchedDelivery) => Promise<void>): Consumer
  /** Connects before the first enqueue. Resolves when Redis has been reached for the first time. */
  prepare(queueName: string): Promise<void>
  /** Whether Redis can be reached for this queue now. */
  isReady(queueName: string): boolean
  /**
   * Reads when the oldest deliveries were enqueued, in one transaction.
   * @throws immediately when Redis cannot be reached
   */
  oldest(queueName: string): Promise<OldestDeliveries>
  stop(): Promise<void>
}

export interface Consumer {
  /** Stops fetching. Resolves when every fetched delivery has been handled. */
  stop(): Promise<void>
}

export interface QueueOptions {
  redisUrl: string
  /** Keys in Redis begin with this and a colon. */
  prefix?: string
  onError: (error: unknown) => void
}

// References per delivery. A delivery costs one Lua call and one list element, which its references share. A
// claim of 128 rows still takes only a few milliseconds.
const MAX_REFERENCES = 128
// A producer is a connection to Redis, and callers may name any queue. Tasks of further queues are enqueued
// by the dispatcher of the workers that serve them, within a second.
const MAX_PRODUCERS = 100

export function createQueue({ redisUrl, prefix = 'waggle', onError }: QueueOptions): Queue {
  const producers = new Map<string, BeeProducer>()
  const consumers = new Set<Consumer>()

  return {
    async enqueueMany(queueName, references) {
      if (!producers.has(queueName) && producers.size >= MAX_PRODUCERS)
        throw new Error(
          `More than ${MAX_PRODUCERS} queues in this process: the workers of "${queueName}" enqueue its tasks`,
        )
      // The id contains the time. The list is first in, first out: its last id is that of the oldest
      // delivery.
      const now = Date.now()
      const producer = producerOf(queueName)
      const parts = chunk(references, MAX_REFERENCES).map((part) => producer.add(newId(now), pairsOf(part)))
      await Promise.all(parts)
    },
    returnToQueue: (queueName, { references, enqueuedAtMs }) =>
      producerOf(queueName).addFirst(newId(enqueuedAtMs), pairsOf(references)),
    consume(queueName, fetches, handle) {
      const consumer = startConsumer(settingsOf(queueName), fetches, (id, pairs, acknowledge) =>
        handle({ references: referencesOf(pairs), enqueuedAtMs: timeOfId(id), acknowledge }),
      )
      const tracked: Consumer = {
        async stop() {
          consumers.delete(tracked)
          await consumer.stop()
        },
      }
      consumers.add(tracked)
      return tracked
    },
    prepare: (queueName) => producerOf(queueName).connected,
    isReady: (queueName) => producerOf(queueName).isReady(),
    async oldest(queueName) {
      const { next, active } = await producerOf(queueName).readIds()
      return {
        waitingMs: next === null ? null : timeOfId(next),
        beingClaimedMs: active.length === 0 ? null : Math.min(...active.map(timeOfId)),
      }
    },
    async stop() {
      await Promise.all([...consumers].map((consumer) => consumer.stop()))
      await Promise.all([...producers.values()].map((producer) => producer.stop()))
    },
  }

  function producerOf(queueName: string): BeeProducer {
    const known = producers.get(queueName)
    if (known) return known
    const producer = connectProducer(settingsOf(queueName))
    producers.set(queueName, producer)
    return producer
  }

  function settingsOf(queueName: string): BeeRole {
    return { queueName, redisUrl, prefix, onError }
  }
}

function pairsOf(references: TaskReference[]): Pairs {
  return references.map(({ id, attempt }) => [id, attempt])
}

/** Drops invalid references, which only other programs write: Postgres would reject the whole claim. */
function referencesOf(pairs: Pairs): TaskReference[] {
  return pairs
    .filter(([id, attempt]) => isUuid(id) && Number.isInteger(attempt) && Math.abs(attempt) < 2 ** 31)
    .map(([id, attempt]) => ({ id, attempt }))
}

function chunk<T>(items: T[], size: number): T[][] {
  const parts: T[][] = []
  for (let start = 0; start < items.length; start += size) parts.push(items.slice(start, start + size))
  return parts
}
