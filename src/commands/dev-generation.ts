// The code of one version of the project in `dev`: the API and the worker. They share the connections with the
// versions before and after them.
import type { Http2Bindings, HttpBindings } from '@hono/node-server'
import { getConnInfo } from '@hono/node-server/conninfo'
import type { HealthChecks } from '../api/health-checks.ts'
import { assembleApi, type Parts, startActivityFlush } from '../assembly.ts'
import type { Config } from '../config.ts'
import type { Worker } from '../worker/worker.ts'
import { webRoot } from './api-process.ts'
import { runWorker } from './run-worker.ts'

export interface Generation {
  fetch: (request: Request, env: HttpBindings | Http2Bindings) => Response | Promise<Response>
  health: HealthChecks
  worker: Worker
  /**
   * Ends waiting requests, then stops the worker, which releases the tasks that still run after `graceMs`, and
   * closes the services of the project.
   */
  stop(graceMs: number): Promise<void>
}

export function startGeneration(config: Config, parts: Parts): Generation {
  const { app, dependencies } = assembleApi(config, parts, {
    addressOf: (c) => getConnInfo(c).remote.address,
    listensOn: config.HOST,
    webRoot: webRoot(),
  })
  const worker = runWorker(config, parts, { role: 'dev' })
  const activity = startActivityFlush(parts)
  return {
    fetch: app.fetch,
    health: dependencies.health,
    worker,
    async stop(graceMs) {
      await dependencies.watcher.stop()
      await worker.stop(graceMs)
      await activity.stop()
      await parts.services.close()
    },
  }
}
