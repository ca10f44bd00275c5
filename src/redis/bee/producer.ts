// Puts deliveries into a Bee-Queue.
import type BeeQueue from 'bee-queue'
import {
  answered,
  called,
  close,
  connect,
  forget,
  internalsOf,
  isMissingScript,
  type JobData,
  keyOf,
  loadScripts,
  type Pairs,
} from './connection.ts'
import type { BeeRole } from './settings.ts'

export interface BeeProducer {
  /** Puts a delivery behind all that wait. @throws at once when Redis is away */
  add(deliveryId: string, pairs: Pairs): Promise<void>
  /** Puts a delivery before all that wait. @throws at once when Redis is away */
  addFirst(deliveryId: string, pairs: Pairs): Promise<void>
  /** Resolves when it is connected for the first time, or stopped. */
  connected: Promise<void>
  isReady(): boolean
  /**
   * The id of the delivery that is taken next, and of those that are in somebody's hands, at one moment.
   * @throws at once when Redis is away
   */
  look(): Promise<{ next: string | null; inHand: string[] }>
  stop(): Promise<void>
}

/** A producer that is there whenever Redis is, with its Lua scripts loaded. Returns before it is connected. */
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
        await answered(bee, jobOf(bee, deliveryId, pairs).save())
      } catch (error) {
        if (!isMissingScript(error)) throw error
        // Somebody flushed the scripts; Bee-Queue loads them at connect only, and calls them by their hash.
        await loadScripts(bee)
        await answered(bee, jobOf(bee, deliveryId, pairs).save())
      }
    },
    addFirst(deliveryId, pairs) {
      const bee = ready()
      const { client } = internalsOf(bee)
      // The same writes as Bee-Queue's own, but at the end where the next is taken: first in stays first out.
      const job = jobOf(bee, deliveryId, pairs) as unknown as { toData(): string }
      return called(bee, (done) =>
        client
          ?.multi()
          .hset(keyOf(bee, 'jobs'), deliveryId, job.toData())
          .rpush(keyOf(bee, 'waiting'), deliveryId)
          .exec(done),
      )
    },
    isReady: () => connectedBee() !== null,
    async look() {
      const bee = ready()
      const [next, inHand] = await called<[string | null, string[]]>(bee, (done) =>
        internalsOf(bee)
          .client?.multi()
          .lindex(keyOf(bee, 'waiting'), -1)
          .lrange(keyOf(bee, 'active'), 0, -1)
          .exec(done),
      )
      const staleIds = await removeStaleIds(bee, next === null ? inHand : [next, ...inHand])
      return {
        next: next === null || staleIds.has(next) ? null : next,
        inHand: inHand.filter((id) => !staleIds.has(id)),
      }
    },
    async stop() {
      stopping.abort()
      await connected
      if (current) await close(current)
    },
  }

  function connectedBee(): BeeQueue | null {
    return current && internalsOf(current).client?.ready ? current : null
  }

  function ready(): BeeQueue {
    const bee = connectedBee()
    if (bee === null) throw new Error('Redis cannot be reached at the moment')
    return bee
  }
}

/**
 * Ids in a list without a job behind them: the job was done by one worker after another had found it stalled. Bee-Queue
 * passes them round for ever.
 */
async function removeStaleIds(bee: BeeQueue, ids: string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set()
  const [jobs] = await called<[(string | null)[]]>(bee, (done) =>
    internalsOf(bee).client?.multi().hmget(keyOf(bee, 'jobs'), ids).exec(done),
  )
  const staleIds = new Set(ids.filter((_, index) => jobs[index] === null))
  await Promise.all([...staleIds].map((id) => forget(bee, id)))
  return staleIds
}

function jobOf(bee: BeeQueue, deliveryId: string, tasks: Pairs) {
  // Every delivery has an id of its own: saving under a known id is dropped without an error.
  return bee.createJob<JobData>({ tasks }).setId(deliveryId)
}
