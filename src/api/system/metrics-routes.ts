// GET /metrics: the metrics for Prometheus. Both the API and the app on HEALTH_PORT serve this route.
import { Hono } from 'hono'
import type { RenderedMetrics } from '../../telemetry/metrics.ts'

export function createMetricsRoutes(metrics: RenderedMetrics) {
  return new Hono().get('/metrics', async (c) =>
    c.body(await metrics.render(), 200, {
      'Content-Type': metrics.contentType,
      'Cache-Control': 'no-store',
    }),
  )
}
