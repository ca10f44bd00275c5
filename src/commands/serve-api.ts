// Serves the API in this process.
import { getConnInfo } from '@hono/node-server/conninfo'
import type { HealthChecks } from '../api/health-checks.ts'
import { startServer } from '../api/server.ts'
import { assembleApi, type Parts } from '../assembly.ts'
import type { Config } from '../config.ts'
import type { RenderedMetrics } from '../telemetry/metrics.ts'

export interface ApiServer {
  url: string
  health: HealthChecks
  /**
   * Accepts no more connections and lets running requests finish.
   * @param drainMs how long clients get to close their open connections, in milliseconds
   */
  stop(drainMs?: number): Promise<void>
}

/**
 * Starts the API on HOST and PORT.
 * @param options `webRoot`: folder of the built page. `metrics`: what `GET /metrics` serves, if not the
 *    metrics of this process
 * @throws Error if the port is in use
 */
export async function serveApi(
  config: Config,
  parts: Parts,
  options: { webRoot?: string; metrics?: RenderedMetrics } = {},
): Promise<ApiServer> {
  const { app, dependencies } = assembleApi(config, parts, {
    addressOf: (c) => getConnInfo(c).remote.address,
    listensOn: config.HOST,
    ...options,
  })
  const { HOST: host, PORT: port } = config
  const server = await startServer(app.fetch, { host, port })
  return {
    url: urlOf(host, server.port),
    health: dependencies.health,
    async stop(drainMs = 0) {
      if (drainMs > 0) await server.drain(drainMs)
      await dependencies.watcher.stop()
      await server.stop()
    },
  }
}

/** Returns the URL at which a browser on this machine reaches a server. */
export function urlOf(host: string, port: number): string {
  return `http://${host === '0.0.0.0' ? 'localhost' : host}:${port}`
}
