// Serves `/health` and `/metrics` on HEALTH_PORT.
import { createHealthApp } from '../api/health-app.ts'
import type { HealthChecks } from '../api/health-checks.ts'
import { type HttpServer, startServer } from '../api/server.ts'
import type { Config } from '../config.ts'
import type { Events } from '../telemetry/events.ts'
import type { RenderedMetrics } from '../telemetry/metrics.ts'

/** Resolves with undefined if HEALTH_PORT is unset. @throws Error if the port is in use */
export async function startHealthServer(
  { HOST: host, HEALTH_PORT: port }: Config,
  { metrics, events }: { metrics: RenderedMetrics; events: Events },
  health: HealthChecks,
): Promise<HttpServer | undefined> {
  if (port === undefined) return undefined
  return startServer(createHealthApp(health, metrics, events).fetch, { host, port })
}
