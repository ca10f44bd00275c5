// What is delivered: lists of the tasks of one queue that were committed together. A delivery says whom to look for,
// never how they are; losing all of them loses no task.

import { isUuid, newId, timeOfId } from '../base/uuidv7.ts'
import type { Pairs } from './bee/connection.ts'
import { startConsumer } from './bee/consumer.ts'
import { type BeeProducer, connectProducer } from './bee/producer.ts'
import type { BeeRole } from './bee/settings.ts'

/** A task, and the attempt after which it waits. */
export interface TaskReference {
  id: string
  attempt: number
}

export interface Delivery {
  references: TaskReference[]
  /** When these were rung, in milliseconds since 1970. */
  enqueuedAtMs: number
}

export interface FetchedDelivery extends Delivery {
  /** Says that every bell of it has been answered or given back, before the handler is done. */
  acknowledge(): Promise<void>
}

/** When the oldest delivery was rung, in milliseconds since 1970; null where there is none. */
export interface OldestDeliveries {
  waitingMs: number | null
  /** Of those that workers are answering at this moment. */
  beingClaimedMs: number | null
}

export interface Queue {
  /** Rings for tasks of one queue. @throws at once when Redis is away */
  enqueueMany(queueName: string, references: TaskReference[]): Promise<void>
  /** Puts what a worker cannot take before everything that waits. @throws at once when Redis is away */
  returnToQueue(queueName: string, delivery: Delivery): Promise<void>
  /** Hands deliveries to `handle`, `fetches` at once; the next is fetched when `handle` has settled. */
  consume(queueName: string, fetches: number, handle: (delivery: FetchedDelivery) => Promise<void>): Consumer
  /** Connects for a queue ahead of its first bell; resolves when Redis is there for the first time. */
  prepare(queueName: string): Promise<void>
  /** Whether references of this queue can be rung at this moment. */
  isReady(queueName: string): boolean
  /** What is under way, at one moment. @throws at once when Redis is away */
  oldest(queueName: string): Promise<OldestDeliveries>
  stop(): Promise<void>
}

export interface Consumer {
  /** Takes no more, and resolves when every delivery in hand has been handled. */
  stop(): Promise<void>
}

export interface QueueOptions {
  redisUrl: string
  /** Keys in Redis begin with this and a colon. */
  prefix?: string
  onError: (error: unknown) => void
}

// One delivery is one Lua call and one list element; the tasks of one commit share that cost, and a claim of 128 is still
// quick.
const MAX_REFERENCES = 128
// Each is a connection to Redis, and callers may name any queue. Whoever serves one more rings for it all the same: the
// dispatcher of its workers, within a second.
const MAX_PRODUCERS = 100

export function createQueue({ redisUrl, prefix = 'waggle', onError }: QueueOptions): Queue {
  const producers = new Map<string, BeeProducer>()
  const consumers = new Set<Consumer>()

  return {
    async enqueueMany(queueName, references) {
      if (!producers.has(queueName) && producers.size >= MAX_PRODUCERS)
        throw new Error(`More than ${MAX_PRODUCERS} queues: ${queueName} is left to its workers`)
      // First in, first out: the id of the delivery that is taken next tells how old the oldest waiting bell is.
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
      const { next, inHand } = await producerOf(queueName).look()
      return {
        waitingMs: next === null ? null : timeOfId(next),
        beingClaimedMs: inHand.length === 0 ? null : Math.min(...inHand.map(timeOfId)),
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

/** Without what nobody of ours can have rung: claimed with the others it would be refused, and they with it. */
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
