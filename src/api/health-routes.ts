// Is it up? A monitor's probe must never see 405, whatever verb it uses.
import { Hono } from 'hono'
import { AppError, isAppError } from '../errors.ts'
import { pause } from '../loop.ts'
import type { Events } from '../telemetry/events.ts'
import { problemOf } from './problem.ts'

/** Health and nothing else, for a port of its own. */
export function createHealthApp(dependencies: HealthDependencies, events: Events) {
  const app = new Hono().route('/', createHealthRoutes(dependencies))
  app.notFound((c) => problemOf(new AppError('not_found', 'There is nothing here but /health'), c, events))
  return app
}

export interface HealthDependencies {
  /** Resolves when Postgres answers. */
  pingDatabase: () => Promise<void>
  isRedisReady: () => boolean
}

const PING_MS = 2_000

export function createHealthRoutes({ pingDatabase, isRedisReady }: HealthDependencies) {
  return new Hono()
    .all('/health', (c) => c.json({ status: 'ok' as const }))
    .all('/health/live', (c) => c.json({ status: 'ok' as const }))
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
