// Puts deliveries of one queue into Redis, in the format of Bee-Queue. Also reads what waits in the queue.
import type BeeQueue from 'bee-queue'
import {
  close,
  connect,
  internalsOf,
  type JobData,
  keyOf,
  type Pairs,
  promised,
  remove,
} from './connection.ts'
import { type DroppedDeliveries, dropLongestQueue } from './relief.ts'
import type { BeeRole } from './settings.ts'

/** A delivery to put into Redis. Every delivery needs a new id. */
export interface NewDelivery {
  id: string
  pairs: Pairs
}

export interface AddOptions {
  /** Maximum number of deliveries that may wait in this queue. */
  maxDeliveries: (bee: BeeQueue) => number
  /** Whether to add deliveries also while the queue has a backlog in Postgres. */
  ignoresBacklog: boolean
}

export interface BeeProducer {
  /**
   * Puts deliveries at the end of the queue, all or none. Refuses them if too many wait already, and then
   * sets the backlog flag of the queue; or if the flag is set, unless `ignoresBacklog`.
   * @returns false if they were refused
   * @throws immediately when Redis cannot be reached
   */
  add(deliveries: NewDelivery[], options: AddOptions): Promise<boolean>
  /** Puts a delivery at the front of the queue. @throws immediately when Redis cannot be reached */
  addFirst(delivery: NewDelivery): Promise<void>
  /** Resolves when the producer has connected to Redis for the first time, or was stopped. */
  connected: Promise<void>
  isReady(): boolean
  /**
   * Reads how many deliveries wait, and the backlog flag. @throws immediately when Redis cannot be reached
   */
  readState(options: Pick<AddOptions, 'maxDeliveries'>): Promise<ProducerState>
  /** @throws immediately when Redis cannot be reached */
  setBacklog(hasBacklog: boolean): Promise<void>
  /**
   * Returns the id of the delivery that will be fetched next, and the ids of the deliveries that workers have
   * fetched and not acknowledged ("active" in Bee-Queue). Reads both in one step.
   * @throws immediately when Redis cannot be reached
   */
  readIds(): Promise<{ next: string | null; active: string[] }>
  /** See `dropLongestQueue`. It may be another queue than this one. */
  dropLongestQueue(): Promise<DroppedDeliveries | null>
  stop(): Promise<void>
}

export interface ProducerState {
  deliveries: number
  maxDeliveries: number
  hasBacklog: boolean
}

/** Creates a producer. Returns before it is connected; it connects and reconnects in the background. */
export function connectProducer(role: BeeRole): BeeProducer {
  const stopping = new AbortController()
  let current: BeeQueue | null = null
  const connected = connect(role, 'producer', stopping.signal, (bee) => {
    current = bee
  })

  return {
    connected,
    async add(deliveries, { maxDeliveries, ignoresBacklog }) {
      const bee = ready()
      const keys = ['waiting', 'jobs', 'backlog'].map((name) => keyOf(bee, name))
      const jobs = deliveries.flatMap((delivery) => [delivery.id, dataOf(bee, delivery)])
      const args = [ADD, keys.length, ...keys, maxDeliveries(bee), ignoresBacklog ? 1 : 0, ...jobs]
      return (await promised(bee, (done) => internalsOf(bee).client?.eval(args, done))) === 1
    },
    async addFirst(delivery) {
      const bee = ready()
      await promised(bee, (done) =>
        internalsOf(bee)
          .client?.multi()
          .hset(keyOf(bee, 'jobs'), delivery.id, dataOf(bee, delivery))
          .rpush(keyOf(bee, 'waiting'), delivery.id)
          .exec(done),
      )
    },
    isReady: () => connectedBee() !== null,
    async readState({ maxDeliveries }) {
      const bee = ready()
      const { client } = internalsOf(bee)
      // Two commands and no transaction, which a full Redis would refuse.
      const [deliveries, flag] = await Promise.all([
        promised<number>(bee, (done) => client?.llen(keyOf(bee, 'waiting'), done)),
        promised<number>(bee, (done) => client?.exists(keyOf(bee, 'backlog'), done)),
      ])
      return { deliveries, maxDeliveries: maxDeliveries(bee), hasBacklog: flag === 1 }
    },
    async setBacklog(hasBacklog) {
      const bee = ready()
      const { client } = internalsOf(bee)
      const key = keyOf(bee, 'backlog')
      await promised(bee, (done) => (hasBacklog ? client?.set(key, '1', done) : client?.del(key, done)))
    },
    async readIds() {
      const bee = ready()
      const keys = ['waiting', 'active', 'jobs'].map((name) => keyOf(bee, name))
      const [next, active, staleIds] = await promised<[string, string[], string[]]>(bee, (done) =>
        internalsOf(bee).client?.eval([READ_IDS, keys.length, ...keys], done),
      )
      await Promise.all(staleIds.map((id) => remove(bee, id)))
      return { next: next === '' ? null : next, active }
    },
    dropLongestQueue: () => dropLongestQueue(ready(), role.prefix),
    async stop() {
      stopping.abort()
      await connected
      if (current) await close(current)
    },
  }

  /** Returns the Bee-Queue instance if its connection to Redis is ready, otherwise null. */
  function connectedBee(): BeeQueue | null {
    return current && internalsOf(current).client?.ready ? current : null
  }

  function ready(): BeeQueue {
    const bee = connectedBee()
    if (bee === null) throw new Error('Redis cannot be reached')
    return bee
  }
}

/**
 * Makes the writes of Bee-Queue's `save` for each delivery, if the queue accepts them. A script makes the
 * check and the writes one step: while the backlog flag is set, only the dispatcher can add deliveries.
 */
const ADD = `
local maxDeliveries, ignoresBacklog = tonumber(ARGV[1]), ARGV[2] == '1'
if not ignoresBacklog and redis.call('exists', KEYS[3]) == 1 then return 0 end
if redis.call('llen', KEYS[1]) >= maxDeliveries then
  redis.call('set', KEYS[3], '1')
  return 0
end
for index = 3, #ARGV, 2 do
  redis.call('hset', KEYS[2], ARGV[index], ARGV[index + 1])
  redis.call('lpush', KEYS[1], ARGV[index])
end
return 1`

/** Returns a delivery as the data of a Bee-Queue job. */
function dataOf(bee: BeeQueue, { id, pairs }: NewDelivery): string {
  const job = bee.createJob<JobData>({ tasks: pairs }).setId(id)
  return (job as unknown as { toData(): string }).toData() // the typings of Bee-Queue leave it out
}

/**
 * Reads the id of the next delivery and of those that are being handled. Ids without a job are stale, and
 * returned separately: Bee-Queue leaves such an id if the stall check puts a delivery back into the waiting
 * list while its worker still handles it, and the worker then deletes the job. It is a script, so that a
 * worker cannot delete the job of a delivery between the reads.
 */
const READ_IDS = `
local next, active, stale = redis.call('lindex', KEYS[1], -1), {}, {}
while next and redis.call('hexists', KEYS[3], next) == 0 do
  stale[#stale + 1] = next
  next = redis.call('lindex', KEYS[1], -1 - #stale)
end
for _, id in ipairs(redis.call('lrange', KEYS[2], 0, -1)) do
  local ids = redis.call('hexists', KEYS[3], id) == 1 and active or stale
  ids[#ids + 1] = id
end
return {next or '', active, stale}`
