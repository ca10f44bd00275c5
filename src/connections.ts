// Opens the connections of a process to Postgres and Redis.
import { createSharedQueries, createSharedQuery } from './base/shared-query.ts'
import { createQueue, type Queue } from './redis/queue.ts'
import { createRateLimiter, type RateLimit, type RateLimiter } from './redis/rate-limiter.ts'
import { createSignals, type Signals } from './redis/signals.ts'
import { type Database, openDatabase } from './store/database.ts'
import { createStores, type Stores } from './store/stores.ts'
import type { Events } from './telemetry/events.ts'

export interface Connections extends Stores {
  databaseUrl: string
  database: Database
  sharedQueries: SharedQueries
  queue: Queue
  signals: Signals
  /** Limits the API requests of each client; undefined if no rate limit is configured. */
  rateLimiter?: RateLimiter
  close(): Promise<void>
}

export interface ConnectionOptions {
  databaseUrl: string
  redisUrl: string
  poolSize?: number
  rateLimit?: RateLimit
}

/**
 * Opens all connections of a process. Does not wait for a Postgres server or Redis, which may be unreachable
 * at this time. After an outage, the connections are restored automatically.
 */
export async function openConnections(
  { databaseUrl, redisUrl, poolSize, rateLimit }: ConnectionOptions,
  events: Events,
): Promise<Connections> {
  const database = await openDatabase(databaseUrl, { poolSize })
  const stores = createStores(database)
  const errorsOf = (where: string) => (error: unknown) => events.emit('error.transient', { where, error })
  const signals = createSignals({ redisUrl, onError: errorsOf('signals') })
  const rateLimiter =
    rateLimit &&
    createRateLimiter({
      redisUrl,
      limit: rateLimit,
      onError: errorsOf('rate limiter, no request is limited'),
    })
  const queue = createQueue({
    redisUrl,
    onError: errorsOf('queue'),
    onDemoted() {
      signals.reconnect()
      rateLimiter?.reconnect()
    },
  })
  return {
    ...stores,
    databaseUrl,
    database,
    sharedQueries: createQueries(stores),
    queue,
    signals,
    rateLimiter,
    async close() {
      await Promise.all([queue.stop(), signals.stop(), rateLimiter?.stop()])
      await database.close()
    },
  }
}

/**
 * Queries about the whole system (queues, workers, statistics). All requests of a process share their
 * results.
 */
export type SharedQueries = ReturnType<typeof createQueries>

function createQueries({ queueStore, workerStore, activityStore }: Stores) {
  return {
    queues: createSharedQuery(queueStore.summarize),
    workers: createSharedQuery(workerStore.list),
    /** Reads the statistics of a time window that ends now. The parameter is its length in seconds. */
    activity: createSharedQueries(activityStore.read),
  }
}
