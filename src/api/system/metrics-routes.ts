// What Prometheus reads. A file of its own because two apps serve it: the API's, and the one on the health port.
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
