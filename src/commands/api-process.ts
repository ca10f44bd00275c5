// The API in one process: alone, or as one of the processes of a supervisor that share the port.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { closeParts, openParts, refuseUnsuitableDatabase, startActivityFlush } from '../assembly.ts'
import { pause } from '../base/loop.ts'
import type { Config, Environment } from '../config.ts'
import { connectParent, endWithParent, type Parent } from '../processes/parent.ts'
import { createProcessLog } from '../processes/process-log.ts'
import { METRICS_OF_ALL } from '../processes/process-metrics.ts'
import { restartOnHangUp, stopOnSignal } from '../processes/stop-signals.ts'
import type { Project } from '../project/load-project.ts'
import type { Metrics, RenderedMetrics } from '../telemetry/metrics.ts'
import { warnWithoutKeys } from './api-warning.ts'
import { startHealthServer } from './health-server.ts'
import { answersOf } from './process-answers.ts'
import { readArguments } from './process-arguments.ts'
import { readProjectConfig } from './project-config.ts'
import { serveApi } from './serve-api.ts'

/** Folder of the built page, if it is built. */
export function webRoot(): string | undefined {
  const folder = fileURLToPath(new URL('../../web/dist', import.meta.url))
  return existsSync(folder) ? folder : undefined
}

/**
 * How long `dev` waits for Redis before it reports that it is ready, in milliseconds. With Redis, the first
 * task is enqueued immediately; the embedded Redis answers within milliseconds. The wait is limited, because
 * a Redis from REDIS_URL can be unreachable, and the API works without it.
 */
export const REDIS_WAIT_MS = 2_000

// How long a replaced process keeps the connections of its clients. Clients in Node close an idle connection
// after 4 s; a request that a client sends on a connection while the server closes it would fail.
const DRAIN_MS = 5_000
// Longer than the supervisor needs to ask its processes (process-metrics.ts).
const METRICS_LIMIT_MS = 5_000

/** Runs the API as the only process of the command `api`. */
export async function runApi(config: Config, project: Project): Promise<void> {
  const parts = await openParts(config, project, { role: 'api' })
  await refuseUnsuitableDatabase(parts)
  const server = await serveApi(config, parts)
  warnWithoutKeys(config)
  const healthServer = await startHealthServer(config, parts, server.health)
  const activity = startActivityFlush(parts)
  stopOnSignal(async () => {
    await Promise.all([server.stop(), healthServer?.stop()])
    await activity.stop()
    await closeParts(parts)
  })
  const log = createProcessLog(config.LOG_LEVEL, 'api')
  restartOnHangUp(() => log.warn({}, 'SIGHUP is ignored: a rolling restart needs API_PROCESSES above 1'))
  process.stdout.write(`API is ready: ${server.url}\n`)
}

/** Runs the API as one process of a supervisor. */
export async function apiProcess(environment: Environment, args: string[]): Promise<void> {
  endWithParent()
  const { number, dev } = readArguments(args)
  const { config, project } = await readProjectConfig(environment, ['DATABASE_URL', 'REDIS_URL', 'API_KEYS'])
  const parts = await openParts(config, project, { role: 'api', process: number })
  await refuseUnsuitableDatabase(parts)
  const parentOf = Promise.withResolvers<Parent>()
  const server = await serveApi(config, parts, {
    webRoot: dev ? webRoot() : undefined,
    metrics: metricsOfAll(parts.metrics, parentOf.promise),
  })
  const activity = startActivityFlush(parts)
  const { parent } = connectParent({
    answers: answersOf(server.health, parts.metrics),
    async stop(isReplaced) {
      await server.stop(isReplaced ? DRAIN_MS : 0)
      await activity.stop()
      await closeParts(parts)
      return { metrics: await parts.metrics.counters() }
    },
  })
  parentOf.resolve(parent)
  if (dev) await Promise.race([parts.connections.queue.prepare('default'), pause(REDIS_WAIT_MS)])
  await parent.ready(server.url)
}

/**
 * The metrics of all processes, from the supervisor; those of this process if the supervisor does not answer.
 */
function metricsOfAll(own: Metrics, parent: Promise<Parent>): RenderedMetrics {
  return {
    contentType: own.contentType,
    async render() {
      const ofAll = await (await parent).ask(METRICS_OF_ALL, METRICS_LIMIT_MS)
      return typeof ofAll === 'string' ? ofAll : own.render()
    },
  }
}
