// Is it up? A monitor's probe must never see 405, whatever verb it uses.
import { Hono } from 'hono'
import { isAppError } from '../../base/errors.ts'
import { pause } from '../../base/loop.ts'
import type { HealthDependencies } from '../dependencies.ts'

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
