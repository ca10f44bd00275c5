// Settings of Bee-Queue. Each has the reason next to it.
import type BeeQueue from 'bee-queue'

export interface BeeRole {
  queueName: string
  redisUrl: string
  /** Keys in Redis begin with this and a colon. */
  prefix: string
  onError: (error: unknown) => void
}

// Bee-Queue renews a fetched delivery twice within this time. One that is not renewed returns to the list.
export const STALL_INTERVAL_MS = 5_000

export function settingsOf(
  { redisUrl, prefix }: BeeRole,
  kind: 'producer' | 'consumer',
  stopping: AbortSignal,
) {
  return {
    prefix,
    // Connection options, not a client: Bee-Queue accepts only a client of its own old version of node_redis,
    // ignores any other, and connects to localhost instead.
    redis: {
      ...redisOptionsOf(redisUrl),
      // An enqueue fails immediately while Redis cannot be reached; the dispatcher enqueues the task later. A
      // consumer waits for Redis without a limit.
      enable_offline_queue: kind === 'consumer',
      // The default stops reconnecting after an hour. Undefined ends the reconnects when the process stops.
      retry_strategy: ({ attempt }: { attempt: number }) =>
        stopping.aborted ? undefined : Math.min(attempt * 100, 2_000),
    } as BeeQueue.QueueSettings['redis'],
    isWorker: kind === 'consumer',
    stallInterval: STALL_INTERVAL_MS,
    // These features would use memory in Redis or in this process for state that is in Postgres.
    storeJobs: false,
    getEvents: false,
    sendEvents: false,
    removeOnSuccess: true,
    removeOnFailure: true,
    // Delays and retries are in Postgres too.
    activateDelayedJobs: false,
  } satisfies BeeQueue.QueueSettings
}

function redisOptionsOf(redisUrl: string) {
  const url = new URL(redisUrl)
  return {
    host: url.hostname,
    port: Number(url.port || 6379),
    ...(url.username && { user: decodeURIComponent(url.username) }),
    ...(url.password && { password: decodeURIComponent(url.password) }),
    ...(url.pathname.length > 1 && { db: url.pathname.slice(1) }),
    ...(url.protocol === 'rediss:' && { tls: { servername: url.hostname } }),
  }
}
