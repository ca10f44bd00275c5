// The metrics for Prometheus. Two apps serve this route: the API, and the app on the health port.
import { Hono } from 'hono'
import type { Metrics } from '../../telemetry/metrics.ts'

export function createMetricsRoutes(metrics: Metrics) {
  return new Hono().get('/metrics', async (c) =>
    c.body(await metrics.render(), 200, {
      'Content-Type': metrics.contentType,
      'Cache-Control': 'no-store',
    }),
  )
}
