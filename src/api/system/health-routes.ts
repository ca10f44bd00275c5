// Routes of the health checks. They accept every method, so that no monitoring probe gets 405.
import { Hono } from 'hono'
import { isAppError } from '../../base/errors.ts'
import { pause } from '../../base/loop.ts'
import { READ_ONLY } from '../../store/database-errors.ts'
import type { HealthDependencies } from '../dependencies.ts'

const PING_TIMEOUT_MS = 2_000

export function createHealthRoutes({ pingDatabase, isRedisReady, isLive = () => true }: HealthDependencies) {
  return new Hono()
    .all('/health', (c) => c.json({ status: 'ok' as const }))
    .all('/health/live', (c) =>
      isLive()
        ? c.json({ status: 'ok' as const })
        : c.json({ status: 'unavailable' as const, reason: 'The heartbeat of the worker has stopped' }, 503),
    )
    .all('/health/ready', async (c) => {
      const reason = await Promise.race([
        databaseFault(),
        pause(PING_TIMEOUT_MS).then(() => 'Postgres does not answer'),
      ])
      if (reason) return c.json({ status: 'unavailable' as const, reason }, 503, { 'Retry-After': '2' })
      // Without Redis the status is 200 and not 503, because tasks are still accepted. They run when Redis
      // can be reached again.
      if (!isRedisReady()) return c.json({ status: 'degraded' as const, reason: 'Redis cannot be reached' })
      return c.json({ status: 'ok' as const })
    })

  async function databaseFault(): Promise<string | null> {
    try {
      await pingDatabase()
      return null
    } catch (error) {
      if (!isAppError(error, 'unavailable')) return 'Postgres returned an error'
      return error.message === READ_ONLY ? READ_ONLY : 'Postgres cannot be reached'
    }
  }
}
