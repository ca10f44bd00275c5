// Builds the app that API and worker processes serve on HEALTH_PORT: only health checks and metrics.
import { Hono } from 'hono'
import type { Events } from '../telemetry/events.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { HealthDependencies } from './dependencies.ts'
import { noRouteError, problemResponse } from './http/problem.ts'
import { type ApiEnv, beginRequest } from './http/request-context.ts'
import { createHealthRoutes } from './system/health-routes.ts'
import { createMetricsRoutes } from './system/metrics-routes.ts'

export function createHealthApp(dependencies: HealthDependencies, metrics: Metrics, events: Events) {
  const app = new Hono<ApiEnv>()
    .use(beginRequest())
    .route('/', createHealthRoutes(dependencies))
    .route('/', createMetricsRoutes(metrics))
  app.notFound((c) =>
    problemResponse(noRouteError(c, 'this port serves only /health and /metrics'), c, events),
  )
  app.onError((error, c) => problemResponse(error, c, events))
  return app
}
