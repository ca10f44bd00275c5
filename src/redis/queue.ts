// Delivers task references to workers over Redis. A delivery is one Bee-Queue job: a list of references to
// tasks of one queue. It holds no state of the tasks, so losing a delivery loses no task.

import { isUuid, newId, timeOfId } from '../base/uuidv7.ts'
import { createCapacity, MAX_DELIVERIES } from './bee/capacity.ts'
import { isOutOfMemory, type Pairs } from './bee/connection.ts'
import { startConsumer } from './bee/consumer.ts'
import { type BeeProducer, connectProducer, type NewDelivery } from './bee/producer.ts'
import { createRelief } from './bee/relief.ts'
import type { BeeRole } from './bee/settings.ts'
import { createKnownBacklogs } from './known-backlogs.ts'

/**
 * One entry of a delivery: the id of a waiting task and the number of its last attempt. A worker claims the
 * task with it.
 */
export interface TaskReference {
  id: string
  /**
   * Number of the task's last attempt when it was enqueued; 0 before the first. If the task has a newer
   * attempt, the claim ignores the reference.
   */
  attempt: number
}

/** A list of references to tasks of one queue. In Redis it is one Bee-Queue job. */
export interface Delivery {
  references: TaskReference[]
  /** `enqueued_at` of the tasks, in milliseconds since 1970 by the clock of Postgres. */
  enqueuedAtMs: number
}

/** A delivery that this worker has fetched. It is removed from Redis when its handler has returned. */
export interface FetchedDelivery extends Delivery {
  /**
   * Removes the delivery from Redis before its handler returns. Call it only after all references were
   * claimed or returned to the queue.
   */
  acknowledge(): Promise<void>
}

/** When the oldest deliveries of a queue were enqueued, by the clock of Postgres. */
export interface OldestDeliveries {
  /** Time (ms since 1970) of the oldest delivery that no worker has fetched; null if there is none. */
  waitingMs: number | null
  /** Time (ms since 1970) of the oldest delivery that is fetched but not acknowledged; null if none is. */
  beingClaimedMs: number | null
}

/** What waits in a queue in Redis. */
export interface QueueState {
  /** Number of deliveries that no worker has fetched. */
  deliveries: number
  maxDeliveries: number
  /** Whether due tasks of the queue wait in Postgres. New tasks must then wait behind them. */
  hasBacklog: boolean
}

export interface Queue {
  /**
   * Puts references at the end of a queue, all or none. They are fetched after all references that wait
   * already. Refuses them if the queue is full or has a backlog in Postgres: then their tasks must wait
   * there.
   * @param options `isBacklog`: the references are the head of that backlog, so only a full queue refuses
   * them
   * @returns false if they were refused
   * @throws immediately when Redis cannot be reached, or when this process already has connections for
   *   `MAX_PRODUCERS` other queues
   */
  enqueueMany(queueName: string, delivery: Delivery, options?: { isBacklog?: boolean }): Promise<boolean>
  /** Returns whether the queue has a backlog in Postgres, as far as this process knows. */
  hasBacklog(queueName: string): boolean
  /** @throws immediately when Redis cannot be reached */
  readState(queueName: string): Promise<QueueState>
  /**
   * Tells all processes whether the queue has a backlog in Postgres.
   * @throws immediately when Redis cannot be reached
   */
  setBacklog(queueName: string, hasBacklog: boolean): Promise<void>
  /**
   * Puts references at the front of a queue, because the worker that fetched them has no free slot for them.
   * @throws immediately when Redis cannot be reached
   */
  returnToQueue(queueName: string, delivery: Delivery): Promise<void>
  /**
   * Fetches deliveries and calls `handle` with each, up to `fetches` at the same time. When a call resolves,
   * the next delivery is fetched.
   */
  consume(queueName: string, fetches: number, handle: (delivery: FetchedDelivery) => Promise<void>): Consumer
  /**
   * Connects to Redis, so that the first enqueue does not have to wait for it. Resolves when Redis has been
   * reached for the first time.
   */
  prepare(queueName: string): Promise<void>
  /** Returns whether the connection of this queue to Redis is ready for an enqueue now. */
  isReady(queueName: string): boolean
  /**
   * Reads when the oldest waiting and the oldest fetched delivery were enqueued, in one step.
   * @throws immediately when Redis cannot be reached
   */
  oldest(queueName: string): Promise<OldestDeliveries>
  stop(): Promise<void>
}

export interface Consumer {
  /** Stops fetching. Resolves when every fetched delivery has been handled, or after a few seconds. */
  stop(): Promise<void>
}

export interface QueueOptions {
  redisUrl: string
  /** All keys in Redis begin with this prefix and a colon. */
  prefix?: string
  /** Maximum number of deliveries that wait in one queue. */
  maxDeliveries?: number
  onError: (error: unknown) => void
  /**
   * Called when the queue has closed its connections, because their Redis has become a replica in a failover.
   * The caller should also replace its other connections to Redis, because they stay open.
   */
  onDemoted?: () => void
}

// Maximum number of references per delivery. They share the cost of the delivery: one Lua call and one list
// element in Redis. A claim of 128 rows still takes only a few milliseconds.
export const MAX_REFERENCES = 128
// Maximum number of queues into which one process enqueues tasks. Each queue needs a connection to Redis, and
// clients may choose any queue name. Tasks of further queues are enqueued within a second by the workers that
// serve these queues.
const MAX_PRODUCERS = 100
export function createQueue(options: QueueOptions): Queue {
  const {
    redisUrl,
    prefix = 'waggle',
    maxDeliveries = MAX_DELIVERIES,
    onError,
    onDemoted = () => {},
  } = options
  const producers = new Map<string, BeeProducer>()
  const consumers = new Set<Consumer>()
  const capacity = createCapacity(maxDeliveries, onError)
  const backlogs = createKnownBacklogs(
    async (name) => (await producerOf(name).readState(capacity)).hasBacklog,
  )
  const relieve = createRelief(
    () => [...producers.values()].find((producer) => producer.isReady())?.dropLongestQueue(),
    onError,
  )

  return {
    async enqueueMany(queueName, { references, enqueuedAtMs }, { isBacklog = false } = {}) {
      if (!producers.has(queueName) && producers.size >= MAX_PRODUCERS)
        throw new Error(
          `More than ${MAX_PRODUCERS} queues in this process: the workers of "${queueName}" enqueue its tasks`,
        )
      // The id of a delivery contains the time of its enqueue. The list in Redis is first in, first out, so
      // `oldest` can read the time of the oldest delivery from the last id of the list.
      const deliveries = chunk(references, MAX_REFERENCES).map((part) => newDelivery(part, enqueuedAtMs))
      const { maxDeliveries } = capacity
      try {
        const isAdded = await producerOf(queueName).add(deliveries, {
          maxDeliveries,
          ignoresBacklog: isBacklog,
        })
        if (!isBacklog) backlogs.note(queueName, !isAdded)
        return isAdded
      } catch (error) {
        if (isOutOfMemory(error)) relieve()
        throw error
      }
    },
    hasBacklog: backlogs.has,
    readState: (queueName) => producerOf(queueName).readState(capacity),
    setBacklog: (queueName, hasBacklog) => producerOf(queueName).setBacklog(hasBacklog),
    returnToQueue: (queueName, { references, enqueuedAtMs }) =>
      producerOf(queueName).addFirst(newDelivery(references, enqueuedAtMs)),
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
    return {
      queueName,
      redisUrl,
      prefix,
      onError(error) {
        if (isOutOfMemory(error)) relieve()
        onError(error)
      },
      onDemoted,
    }
  }
}

function newDelivery(references: TaskReference[], enqueuedAtMs: number): NewDelivery {
  return { id: newId(enqueuedAtMs), pairs: pairsOf(references) }
}

function pairsOf(references: TaskReference[]): Pairs {
  return references.map(({ id, attempt }) => [id, attempt])
}

/**
 * Decodes the task references of a delivery. Drops invalid ones, because Postgres would reject the whole
 * claim. Only programs other than Waggle can have written them.
 */
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
