// Builds the app that API and worker processes serve on HEALTH_PORT: only health checks and metrics.
import { Hono } from 'hono'
import type { Events } from '../telemetry/events.ts'
import type { RenderedMetrics } from '../telemetry/metrics.ts'
import type { HealthChecks } from './health-checks.ts'
import { noRouteError, problemResponse } from './http/problem.ts'
import { type ApiEnv, beginRequest } from './http/request-context.ts'
import { createHealthRoutes } from './system/health-routes.ts'
import { createMetricsRoutes } from './system/metrics-routes.ts'

export function createHealthApp(checks: HealthChecks, metrics: RenderedMetrics, events: Events) {
  const app = new Hono<ApiEnv>()
    .use(beginRequest())
    .route('/', createHealthRoutes(checks))
    .route('/', createMetricsRoutes(metrics))
  app.notFound((c) =>
    problemResponse(noRouteError(c, 'this port serves only /health and /metrics'), c, events),
  )
  app.onError((error, c) => problemResponse(error, c, events))
  return app
}
