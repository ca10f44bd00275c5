// Creates the API, and the parts that API and worker share, from the configuration.
import { createApp } from './api/app.ts'
import { type ApiSettings, createApiDependencies } from './api/dependencies.ts'
import { isAppError } from './base/errors.ts'
import { pause, startLoop } from './base/loop.ts'
import type { Config } from './config.ts'
import { type Connections, openConnections } from './connections.ts'
import type { Registry } from './definitions/registry.ts'
import type { Project } from './project/load-project.ts'
import { createProjectRegistry, type OpenServices, openServices } from './project/open-project.ts'
import { type ActivityCounter, countActivity } from './telemetry/activity-counter.ts'
import { createEvents, type Events } from './telemetry/events.ts'
import { type LogOrigin, logEvents } from './telemetry/log.ts'
import { createMetrics, type Metrics, type RenderedMetrics } from './telemetry/metrics.ts'

/**
 * Objects that both API and worker need: connections, task definitions, events, metrics and statistics. If
 * API and worker run in one process, they share them.
 */
export interface Parts {
  connections: Connections
  registry: Registry
  services: OpenServices
  project: Project
  events: Events
  metrics: Metrics
  activity: ActivityCounter
}

/**
 * Creates the objects that API and worker need, and opens the connections and the services of the project.
 * Does not wait for a Postgres server or Redis, which may be unreachable at this time.
 * @param origin members of the log lines of this process
 * @param addresses URLs of Postgres and Redis that replace those of the configuration
 */
export async function openParts(
  config: Config,
  project: Project,
  origin: LogOrigin,
  addresses: { databaseUrl?: string; redisUrl?: string } = {},
): Promise<Parts> {
  const { DATABASE_URL: databaseUrl = '', REDIS_URL: redisUrl = '' } = config
  const events = createEvents()
  logEvents(events, config.LOG_LEVEL, origin)
  const connections = await openConnections(
    {
      databaseUrl,
      redisUrl,
      poolSize: config.DATABASE_POOL_SIZE,
      rateLimit: config.RATE_LIMIT,
      ...addresses,
    },
    events,
  )
  try {
    return await openProject(config, project, connections, events)
  } catch (error) {
    await connections.close()
    throw error
  }
}

/** Like `openParts`, with the connections of parts that exist. Their connections are not opened again. */
export async function reopenParts(
  config: Config,
  project: Project,
  origin: LogOrigin,
  { connections }: Pick<Parts, 'connections'>,
): Promise<Parts> {
  // Events of its own, because the listeners of the other parts would count each event a second time.
  const events = createEvents()
  logEvents(events, config.LOG_LEVEL, origin)
  return openProject(config, project, connections, events, false)
}

async function openProject(
  config: Config,
  project: Project,
  connections: Connections,
  events: Events,
  hasProcessMetrics = true,
): Promise<Parts> {
  const registry = createProjectRegistry(project.config.tasks, config)
  const services = await openServices(project.config, config.project, (message, fields) =>
    events.emit('project.log', { message, fields }),
  )
  const metrics = createMetrics(events, {
    definitions: registry.all,
    summarizeQueues: async () => (await connections.sharedQueries.queues.read()).queues,
    hasProcessMetrics,
  })
  const activity = countActivity(events, { definitions: registry.all, add: connections.activityStore.add })
  return { connections, registry, services, project, events, metrics, activity }
}

/**
 * Refuses a database whose tables do not fit this version, and one behind a pooler in transaction mode. If
 * Postgres cannot be reached, the process starts without this check.
 * @throws Error if the database is refused
 */
export async function refuseUnsuitableDatabase({ connections: { database } }: Parts): Promise<void> {
  try {
    await database.refusePooler()
    await database.refuseUnsuitableTables()
  } catch (error) {
    if (!isAppError(error, 'unavailable')) throw error
  }
}

/** Closes the services of the project and the connections. */
export async function closeParts(parts: Parts): Promise<void> {
  await closeServices(parts)
  await parts.connections.close()
}

// How long services may take to close. Then the process stops without them.
const CLOSE_MS = 5_000

/** Closes the services of the project. Never rejects: an error is logged. */
export async function closeServices({ services, events }: Pick<Parts, 'services' | 'events'>): Promise<void> {
  const onError = (error: unknown) => events.emit('error.unexpected', { where: 'closing services', error })
  const tooSlow = new AbortController()
  const limit = pause(CLOSE_MS, tooSlow.signal).then(() => {
    if (!tooSlow.signal.aborted) onError(new Error(`close did not end within ${CLOSE_MS / 1_000} s`))
  })
  await Promise.race([services.close().catch(onError), limit])
  tooSlow.abort()
}

// Pause between two writes of statistics. The stored statistics are about this much behind at most, and a
// killed process loses the statistics of at most this time.
const FLUSH_MS = 2_000

/**
 * Starts to write the statistics of this process to Postgres every few seconds. `stop` writes the rest, so
 * call it before the connections are closed.
 */
export function startActivityFlush({ activity, events }: Parts): { stop(): Promise<void> } {
  const onError = (error: unknown) => events.emit('error.transient', { where: 'statistics', error })
  const loop = startLoop({ intervalMs: FLUSH_MS, body: activity.flush, onError })
  return {
    async stop() {
      await loop.stop()
      await activity.flush().catch(onError)
    },
  }
}

/**
 * Creates the API from the configuration and the objects that `openParts` has created (connections, task
 * definitions, events and metrics).
 * @param environment settings that differ between the HTTP server and AWS Lambda; `metrics` replaces the
 *    metrics of this process
 */
export function assembleApi(
  config: Config,
  { connections, registry, services, project, events, metrics }: Parts,
  environment: Pick<ApiSettings, 'addressOf' | 'listensOn' | 'webRoot' | 'reloadState'> & {
    metrics?: RenderedMetrics
  },
) {
  const dependencies = createApiDependencies(connections, registry, events, {
    metrics,
    ...environment,
    apiKeys: config.API_KEYS,
    trustedProxies: config.TRUSTED_PROXIES,
    corsOrigins: config.CORS_ORIGINS,
    bodyLimitBytes: config.BODY_LIMIT_BYTES,
    workerMissingAfterMs: config.WORKER_MISSING_AFTER_SECONDS * 1_000,
  })
  return { app: createApp(dependencies, project.config.routes, services.services), dependencies }
}
