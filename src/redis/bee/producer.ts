// Puts deliveries of one queue into Redis, through Bee-Queue. Also reads which delivery is fetched next and
// which ones are not acknowledged.
import type BeeQueue from 'bee-queue'
import {
  close,
  connect,
  internalsOf,
  isMissingScript,
  type JobData,
  keyOf,
  loadScripts,
  type Pairs,
  promised,
  remove,
  withTimeout,
} from './connection.ts'
import type { BeeRole } from './settings.ts'

export interface BeeProducer {
  /** Puts a delivery at the end of the queue. @throws immediately when Redis cannot be reached */
  add(deliveryId: string, pairs: Pairs): Promise<void>
  /** Puts a delivery at the front of the queue. @throws immediately when Redis cannot be reached */
  addFirst(deliveryId: string, pairs: Pairs): Promise<void>
  /** Resolves when the producer has connected to Redis for the first time, or was stopped. */
  connected: Promise<void>
  isReady(): boolean
  /**
   * Returns the id of the delivery that will be fetched next, and the ids of the deliveries that workers have
   * fetched and not acknowledged ("active" in Bee-Queue). Reads both in one transaction of Redis.
   * @throws immediately when Redis cannot be reached
   */
  readIds(): Promise<{ next: string | null; active: string[] }>
  stop(): Promise<void>
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
    async add(deliveryId, pairs) {
      const bee = ready()
      try {
        await withTimeout(bee, jobOf(bee, deliveryId, pairs).save())
      } catch (error) {
        if (!isMissingScript(error)) throw error
        // Redis has lost the Lua scripts, which Bee-Queue calls by hash and loads only when it first
        // connects. Load them and try again.
        await loadScripts(bee)
        await withTimeout(bee, jobOf(bee, deliveryId, pairs).save())
      }
    },
    addFirst(deliveryId, pairs) {
      const bee = ready()
      const { client } = internalsOf(bee)
      // Puts the job at the front of the waiting list: makes the same writes as Bee-Queue's `save`, but
      // pushes to the right end of the list, from which workers fetch.
      const job = jobOf(bee, deliveryId, pairs) as unknown as { toData(): string }
      return promised(bee, (done) =>
        client
          ?.multi()
          .hset(keyOf(bee, 'jobs'), deliveryId, job.toData())
          .rpush(keyOf(bee, 'waiting'), deliveryId)
          .exec(done),
      )
    },
    isReady: () => connectedBee() !== null,
    async readIds() {
      const bee = ready()
      const [next, active] = await promised<[string | null, string[]]>(bee, (done) =>
        internalsOf(bee)
          .client?.multi()
          .lindex(keyOf(bee, 'waiting'), -1)
          .lrange(keyOf(bee, 'active'), 0, -1)
          .exec(done),
      )
      const staleIds = await removeStaleIds(bee, next === null ? active : [next, ...active])
      return {
        next: next === null || staleIds.has(next) ? null : next,
        active: active.filter((id) => !staleIds.has(id)),
      }
    },
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
 * Removes from Redis the given delivery ids that have no Bee-Queue job, and returns these ids. Bee-Queue
 * leaves such an id if the stall check puts a delivery back into the waiting list while its worker still
 * handles it, and the worker then deletes the job.
 */
async function removeStaleIds(bee: BeeQueue, ids: string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set()
  const [jobs] = await promised<[(string | null)[]]>(bee, (done) =>
    internalsOf(bee).client?.multi().hmget(keyOf(bee, 'jobs'), ids).exec(done),
  )
  const staleIds = new Set(ids.filter((_, index) => jobs[index] === null))
  await Promise.all([...staleIds].map((id) => remove(bee, id)))
  return staleIds
}

function jobOf(bee: BeeQueue, deliveryId: string, tasks: Pairs) {
  // Every delivery needs a new id, because Bee-Queue ignores a job with an existing id without an error.
  return bee.createJob<JobData>({ tasks }).setId(deliveryId)
}
