// Puts the parts together as the configuration asks for: what every way to start the system has in common.
import { createApp } from './api/app.ts'
import { type ApiSettings, createApiDependencies } from './api/dependencies.ts'
import { isAppError } from './base/errors.ts'
import { startLoop } from './base/loop.ts'
import type { Config } from './config.ts'
import { type Connections, openConnections } from './connections.ts'
import { createRegistry, type Registry } from './definitions/registry.ts'
import { createHttpClient } from './tasks/http/http-client.ts'
import { createWebhookSigner } from './tasks/http/webhook-signature.ts'
import { createMailer } from './tasks/mail.ts'
import { createTaskDefinitions } from './tasks/task-definitions.ts'
import { type ActivityCounter, countActivity } from './telemetry/activity-counter.ts'
import { createEvents, type Events } from './telemetry/events.ts'
import { logEvents } from './telemetry/log.ts'
import { createMetrics, type Metrics } from './telemetry/metrics.ts'

/** What the API and the worker are made of; where both are in one process, they share it. */
export interface Parts {
  connections: Connections
  registry: Registry
  events: Events
  metrics: Metrics
  activity: ActivityCounter
}

/** @param addresses of the servers, where they are others than those of the configuration */
export async function openParts(
  config: Config,
  role: string,
  addresses: { databaseUrl?: string; redisUrl?: string } = {},
): Promise<Parts> {
  const { DATABASE_URL: databaseUrl = '', REDIS_URL: redisUrl = '' } = config
  const events = createEvents()
  logEvents(events, config.LOG_LEVEL, role)
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
  const sendMail = createMailer(config.SMTP_URL, config.MAIL_FROM)
  const http = createHttpClient({ allow: config.HTTP_REQUEST_ALLOW })
  const signWebhook = createWebhookSigner(config.WEBHOOK_SECRET)
  const registry = createRegistry(createTaskDefinitions({ sendMail, http, signWebhook }))
  const metrics = createMetrics(events, {
    definitions: registry.all,
    summarizeQueues: connections.sharedQueries.queues.read,
  })
  const activity = countActivity(events, { definitions: registry.all, add: connections.activityStore.add })
  return { connections, registry, events, metrics, activity }
}

/** A process that starts while Postgres cannot be reached goes on without this check. */
export async function refuseEarlierVersion({ connections }: Parts): Promise<void> {
  await connections.database.refuseEarlierVersion().catch((error) => {
    if (!isAppError(error, 'unavailable')) throw error
  })
}

// Figures are a moment late, and a process that is killed takes so much of them with it.
const FLUSH_MS = 2_000

/** Hands on every few seconds what was counted, and the rest when it is stopped: before the connections are closed. */
export function keepActivity({ activity, events }: Parts): { stop(): Promise<void> } {
  const onError = (error: unknown) => events.emit('error.transient', { where: 'statistics', error })
  const loop = startLoop({ intervalMs: FLUSH_MS, body: activity.flush, onError })
  return {
    async stop() {
      await loop.stop()
      await activity.flush().catch(onError)
    },
  }
}

/** @param around what the place knows in which the API runs */
export function assembleApi(
  config: Config,
  { connections, registry, events, metrics }: Parts,
  around: Pick<ApiSettings, 'addressOf' | 'listensOn' | 'webRoot'>,
) {
  const dependencies = createApiDependencies(connections, registry, events, {
    ...around,
    apiKeys: config.API_KEYS,
    trustedProxies: config.TRUSTED_PROXIES,
    corsOrigins: config.CORS_ORIGINS,
    bodyLimitBytes: config.BODY_LIMIT_BYTES,
    workerMissingAfterMs: config.WORKER_MISSING_AFTER_SECONDS * 1_000,
    metrics,
  })
  return { app: createApp(dependencies), dependencies }
}
