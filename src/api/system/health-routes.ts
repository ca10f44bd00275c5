// Routes of the health checks. They accept every method, so that no monitoring probe gets 405.
import { Hono } from 'hono'
import type { HealthChecks } from '../health-checks.ts'

export function createHealthRoutes(checks: HealthChecks) {
  return new Hono()
    .all('/health', (c) => c.json({ status: 'ok' as const }))
    .all('/health/live', async (c) => {
      const reason = await checks.livenessFault()
      return reason === null
        ? c.json({ status: 'ok' as const })
        : c.json({ status: 'unavailable' as const, reason }, 503)
    })
    .all('/health/ready', async (c) => {
      const { status, reason } = { reason: '', ...(await checks.readiness()) }
      if (status === 'unavailable') return c.json({ status, reason }, 503, { 'Retry-After': '2' })
      // Without Redis the status is 200 and not 503, because tasks are still accepted. They run when Redis
      // can be reached again.
      return status === 'degraded' ? c.json({ status, reason }) : c.json({ status })
    })
}
