// The code of one version of the project in `dev`: the API and the worker. They share the connections with the
// versions before and after them.
import type { Http2Bindings, HttpBindings } from '@hono/node-server'
import { getConnInfo } from '@hono/node-server/conninfo'
import type { ReloadState } from '../api/dependencies.ts'
import type { HealthChecks } from '../api/health-checks.ts'
import { assembleApi, closeServices, type Parts, startActivityFlush } from '../assembly.ts'
import { pause } from '../base/loop.ts'
import type { Config } from '../config.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Worker } from '../worker/worker.ts'
import { webRoot } from './api-process.ts'
import { runWorker } from './run-worker.ts'

type Fetch = (request: Request, env: HttpBindings | Http2Bindings) => Response | Promise<Response>

export interface Generation {
  fetch: Fetch
  health: HealthChecks
  metrics: Metrics
  /** Starts the worker, which runs tasks from now on. */
  startWorker(): Worker
  /** Stops the worker. It releases the tasks that still run after `graceMs`. */
  stopWorker(graceMs: number): Promise<void>
  /** Lets requests end, and closes the services of the project. */
  close(): Promise<void>
  /** Returns whether the calling code belongs to an attempt of the worker. */
  isInAttempt(): boolean
  /** Passes an error that no code has handled to the worker. */
  handleStrayError(error: unknown): void
}

// How long requests may take to end after newer code has taken over.
const REQUESTS_MS = 5_000

/**
 * Creates the API, but does not start the worker.
 * @throws what the routes of the project throw; the services are closed then
 */
export async function createGeneration(
  config: Config,
  parts: Parts,
  reloadState: () => ReloadState,
): Promise<Generation> {
  const { app, dependencies } = await assemble(config, parts, reloadState)
  const activity = startActivityFlush(parts)
  let worker: Worker | undefined
  let openRequests = 0
  return {
    async fetch(request, env) {
      openRequests++
      try {
        return await app.fetch(request, env)
      } finally {
        openRequests--
      }
    },
    health: dependencies.health,
    metrics: parts.metrics,
    startWorker() {
      worker = runWorker(config, parts, { role: 'dev', isOnlyVersion: true })
      return worker
    },
    async stopWorker(graceMs) {
      await worker?.stop(graceMs)
    },
    async close() {
      await dependencies.watcher.stop()
      const deadlineMs = Date.now() + REQUESTS_MS
      while (openRequests > 0 && Date.now() < deadlineMs) await pause(20)
      await activity.stop()
      await closeServices(parts)
    },
    isInAttempt: () => worker?.isInAttempt() ?? false,
    handleStrayError: (error) => worker?.handleStrayError(error),
  }
}

async function assemble(config: Config, parts: Parts, reloadState: () => ReloadState) {
  try {
    return assembleApi(config, parts, {
      addressOf: (c) => getConnInfo(c).remote.address,
      listensOn: config.HOST,
      webRoot: webRoot(),
      reloadState,
    })
  } catch (error) {
    await closeServices(parts)
    throw error
  }
}
