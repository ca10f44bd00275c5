// How Bee-Queue is set up. Each setting answers one of its edges, with the reason beside it.
import type BeeQueue from 'bee-queue'

export interface BeeRole {
  queueName: string
  redisUrl: string
  /** Keys in Redis begin with this and a colon. */
  prefix: string
  onError: (error: unknown) => void
}

// A delivery is in hand while its tasks are being claimed; it is renewed twice in this time.
export const STALL_INTERVAL_MS = 5_000

export function settingsOf(
  { redisUrl, prefix }: BeeRole,
  kind: 'producer' | 'consumer',
  stopping: AbortSignal,
) {
  return {
    prefix,
    // Options, never a client: Bee-Queue ignores any client but its own old one, and dials localhost instead.
    redis: {
      ...redisOptionsOf(redisUrl),
      // A bell fails fast while Redis is away, the dispatcher rings later; a consumer waits as long as it takes.
      enable_offline_queue: kind === 'consumer',
      // The client's own strategy gives up for good after an hour. Undefined ends the dialling when we stop.
      retry_strategy: ({ attempt }: { attempt: number }) =>
        stopping.aborted ? undefined : Math.min(attempt * 100, 2_000),
    } as BeeQueue.QueueSettings['redis'],
    isWorker: kind === 'consumer',
    stallInterval: STALL_INTERVAL_MS,
    // All of these would keep memory in Redis or in this process for what Postgres remembers.
    storeJobs: false,
    getEvents: false,
    sendEvents: false,
    removeOnSuccess: true,
    removeOnFailure: true,
    // Delays and retries are in Postgres.
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
