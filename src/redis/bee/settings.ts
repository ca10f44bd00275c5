// Settings of Bee-Queue for producers and consumers, each with its reason.
import type BeeQueue from 'bee-queue'
import { parseRedisUrl } from '../redis-url.ts'

/** The queue that a producer or consumer serves, and how it connects to Redis. */
export interface BeeRole {
  queueName: string
  redisUrl: string
  /** All keys in Redis begin with this prefix and a colon. */
  prefix: string
  onError: (error: unknown) => void
  /** Called when the connections were closed, because their Redis has become a replica in a failover. */
  onDemoted: () => void
}

// Interval of Bee-Queue's stall check, which puts fetched deliveries back into the list of waiting ones if
// their worker has not renewed them since the last check. While a handler runs, Bee-Queue renews its delivery
// twice per interval.
export const STALL_INTERVAL_MS = 5_000

export function settingsOf(
  { redisUrl, prefix }: BeeRole,
  kind: 'producer' | 'consumer',
  stopping: AbortSignal,
) {
  return {
    prefix,
    // Passes connection options and not a client, because Bee-Queue accepts only a client of its old version
    // of node_redis. With any other client it would connect to localhost.
    redis: {
      ...redisOptionsOf(redisUrl),
      // A producer has no offline queue, so that an enqueue fails immediately while Redis cannot be reached;
      // the dispatcher enqueues the task later. The commands of a consumer wait for Redis without a limit.
      enable_offline_queue: kind === 'consumer',
      // Returns the delay before the next reconnect: at most two seconds. When the process stops, it returns
      // undefined, which ends the reconnects.
      retry_strategy: ({ attempt }: { attempt: number }) =>
        stopping.aborted ? undefined : Math.min(attempt * 100, 2_000),
    } as BeeQueue.QueueSettings['redis'],
    isWorker: kind === 'consumer',
    stallInterval: STALL_INTERVAL_MS,
    // Disables features that would use memory in Redis or in this process for state that Postgres has: job
    // objects, job events, and jobs that have ended.
    storeJobs: false,
    getEvents: false,
    sendEvents: false,
    removeOnSuccess: true,
    removeOnFailure: true,
    // Disables delayed jobs, because delays and retries are in Postgres too.
    activateDelayedJobs: false,
  } satisfies BeeQueue.QueueSettings
}

function redisOptionsOf(redisUrl: string) {
  const { host, port, username, password, database, isTls } = parseRedisUrl(redisUrl)
  return {
    host,
    port,
    ...(username !== undefined && { user: username }),
    ...(password !== undefined && { password }),
    ...(database !== undefined && { db: String(database) }),
    ...(isTls && { tls: { servername: host } }),
  }
}
