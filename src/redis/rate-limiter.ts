// How often a client may ask, counted in Redis so that all API processes count together.
// Fails open: a Redis that is away refuses nobody.
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import { createClient } from 'redis'

export interface RateLimit {
  requests: number
  seconds: number
}

/** How a client stands after this request. */
export interface RateLimitState extends RateLimit {
  isExceeded: boolean
  remaining: number
  /** Until the window ends and `remaining` is full again. */
  resetSeconds: number
}

export interface RateLimiter {
  /** Counts one request; null when it cannot be counted. Never rejects. */
  count(client: string): Promise<RateLimitState | null>
  stop(): Promise<void>
}

export interface RateLimiterOptions {
  redisUrl: string
  prefix?: string
  limit: RateLimit
  onError: (error: unknown) => void
}

// A limit must not cost more time than the request that it guards.
const ANSWER_MS = 250
// After a failure nobody waits for Redis for so long.
const REST_MS = 1_000

/** Returns at once; connects, and connects again, in the background. */
export function createRateLimiter({
  redisUrl,
  prefix = 'waggle',
  limit,
  onError,
}: RateLimiterOptions): RateLimiter {
  const client = createClient({
    url: redisUrl,
    disableOfflineQueue: true,
    socket: { reconnectStrategy: (tries) => Math.min(tries * 100, 2_000), connectTimeout: 5_000 },
  })
  let isStopped = false
  let restsUntilMs = 0
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

  return {
    async count(client) {
      if (Date.now() < restsUntilMs) return null
      try {
        return stateOf(await within(ANSWER_MS, limiter.consume(client)), false)
      } catch (thrown) {
        // The library throws its answer where the limit is exceeded.
        if (thrown instanceof RateLimiterRes) return stateOf(thrown, true)
        restsUntilMs = Date.now() + REST_MS
        report(thrown)
        return null
      }
    },
    async stop() {
      isStopped = true
      client.destroy()
    },
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
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`Redis did not answer within ${ms} ms`)), ms)
  })
  return Promise.race([answer, late]).finally(() => clearTimeout(timer))
}
