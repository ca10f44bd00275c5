// Limits the number of API requests of each client. The counts are in Redis, so that all API processes share
// them. The limiter fails open: while Redis cannot be reached, no request is refused.
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import { createClient } from 'redis'
import { startTimeLimit, type TimeLimit } from '../base/time-limit.ts'
import { clientOptionsOf } from './redis-url.ts'

export interface RateLimit {
  requests: number
  seconds: number
}

/** The rate limit of a client and what is left of it after a request. */
export interface RateLimitState extends RateLimit {
  isExceeded: boolean
  remaining: number
  /** Seconds until the current window of the limit ends and `remaining` is back at `requests`. */
  resetSeconds: number
}

export interface RateLimiter {
  /**
   * Counts one request of a client, and resolves with the state of its rate limit. Resolves with null if
   * Redis did not answer. Never rejects.
   */
  count(caller: string): Promise<RateLimitState | null>
  /** Replaces the connection, because its Redis has become a replica in a failover. */
  reconnect(): void
  stop(): Promise<void>
}

export interface RateLimiterOptions {
  redisUrl: string
  prefix?: string
  limit: RateLimit
  onError: (error: unknown) => void
}

// Timeout of one count in Redis. It is short, because the request waits for it, and a longer wait would cost
// more than the request itself.
const COUNT_TIMEOUT_MS = 250
// After Redis has failed to count a request, requests pass without being counted for this long. Otherwise
// every request would wait for the timeout while Redis is down.
const PAUSE_AFTER_FAILURE_MS = 1_000

/** Creates a rate limiter. Returns immediately; it connects and reconnects to Redis in the background. */
export function createRateLimiter({
  redisUrl,
  prefix = 'waggle',
  limit,
  onError,
}: RateLimiterOptions): RateLimiter {
  let isStopped = false
  let pausedUntilMs = 0
  let { client, limiter } = connect()

  return {
    async count(caller) {
      if (Date.now() < pausedUntilMs) return null
      try {
        return stateOf(await within(COUNT_TIMEOUT_MS, limiter.consume(caller)), false)
      } catch (thrown) {
        // rate-limiter-flexible throws its result, a `RateLimiterRes`, if the limit is exceeded.
        if (thrown instanceof RateLimiterRes) return stateOf(thrown, true)
        pausedUntilMs = Date.now() + PAUSE_AFTER_FAILURE_MS
        report(thrown)
        return null
      }
    },
    reconnect() {
      client.destroy()
      ;({ client, limiter } = connect())
    },
    async stop() {
      isStopped = true
      client.destroy()
    },
  }

  function connect() {
    const client = createClient({ ...clientOptionsOf(redisUrl), disableOfflineQueue: true })
    client.on('error', report)
    client.connect().catch(report)
    const limiter = new RateLimiterRedis({
      storeClient: client,
      useRedisPackage: true,
      rejectIfRedisNotReady: true,
      keyPrefix: `${prefix}:limit`,
      points: limit.requests,
      duration: limit.seconds,
    })
    return { client, limiter }
  }

  function stateOf({ remainingPoints, msBeforeNext }: RateLimiterRes, isExceeded: boolean): RateLimitState {
    return {
      ...limit,
      isExceeded,
      remaining: remainingPoints,
      resetSeconds: Math.max(1, Math.ceil(msBeforeNext / 1_000)),
    }
  }

  function report(error: unknown) {
    if (!isStopped) onError(error)
  }
}

async function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  let limit: TimeLimit | undefined
  const late = new Promise<never>((_resolve, reject) => {
    limit = startTimeLimit(ms, () => reject(new Error(`Redis did not answer within ${ms} ms`)))
  })
  return Promise.race([answer, late]).finally(() => limit?.clear())
}
