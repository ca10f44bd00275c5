// Health and metrics on a port of their own, for the API and for the worker.
import { Hono } from 'hono'
import { AppError } from '../base/errors.ts'
import type { Events } from '../telemetry/events.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { HealthDependencies } from './dependencies.ts'
import { problemOf } from './http/problem.ts'
import { type ApiEnv, beginRequest } from './http/request-context.ts'
import { createHealthRoutes } from './system/health-routes.ts'
import { createMetricsRoutes } from './system/metrics-routes.ts'

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
