// Is it up? A monitor's probe must never see 405, whatever verb it uses.
import { Hono } from 'hono'
import { AppError, isAppError } from '../errors.ts'
import { pause } from '../loop.ts'
import type { Events } from '../telemetry/events.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { createMetricsRoutes } from './metrics-routes.ts'
import { problemOf } from './problem.ts'
import { type ApiEnv, beginRequest } from './request-context.ts'

/** Health and metrics and nothing else, for a port of its own. */
export function createHealthApp(dependencies: HealthDependencies, metrics: Metrics, events: Events) {
  const app = new Hono<ApiEnv>()
    .use(beginRequest())
    .route('/', createHealthRoutes(dependencies))
    .route('/', createMetricsRoutes(metrics))
  app.notFound((c) =>
    problemOf(new AppError('not_found', 'There is nothing here but /health and /metrics'), c, events),
  )
  app.onError((error, c) => problemOf(error, c, events))
  return app
}

export interface HealthDependencies {
  /** Resolves when Postgres answers. */
  pingDatabase: () => Promise<void>
  isRedisReady: () => boolean
  /** Whether the process does its work, and does not merely exist; absent where an answer is proof enough. */
  isLive?: () => boolean
}

/** These are answered whatever else is refused. */
export function isHealthPath(path: string): boolean {
  return path === '/health' || path.startsWith('/health/')
}

const PING_MS = 2_000

export function createHealthRoutes({ pingDatabase, isRedisReady, isLive = () => true }: HealthDependencies) {
  return new Hono()
    .all('/health', (c) => c.json({ status: 'ok' as const }))
    .all('/health/live', (c) =>
      isLive()
        ? c.json({ status: 'ok' as const })
        : c.json({ status: 'unavailable' as const, reason: 'The heartbeat stands still' }, 503),
    )
    .all('/health/ready', async (c) => {
      const reason = await Promise.race([
        databaseFault(),
        pause(PING_MS).then(() => 'Postgres does not answer'),
      ])
      if (reason) return c.json({ status: 'unavailable' as const, reason }, 503, { 'Retry-After': '2' })
      // Tasks are accepted all the same; they are run when Redis is back.
      if (!isRedisReady()) return c.json({ status: 'degraded' as const, reason: 'Redis cannot be reached' })
      return c.json({ status: 'ok' as const })
    })

  async function databaseFault(): Promise<string | null> {
    try {
      await pingDatabase()
      return null
    } catch (error) {
      return isAppError(error, 'unavailable')
        ? 'Postgres cannot be reached'
        : 'Postgres answers with an error'
    }
  }
}
