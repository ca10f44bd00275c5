// What the API is made of: assembled from the connections of a process, known to every route.
import type { ApiKey } from '../config.ts'
import type { Connections } from '../connections.ts'
import type { Registry } from '../definitions/registry.ts'
import { createTaskService, type TaskService } from '../service/task-service.ts'
import { createTaskWatcher, type TaskWatcher } from '../service/task-watcher.ts'
import type { Events } from '../telemetry/events.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { type Admission, createAdmission } from './http/admission.ts'
import { type AddressOf, clientAddressBehind } from './http/client-address.ts'

export interface ApiSettings {
  bodyLimitBytes: number
  /** Who is let in; undefined lets everybody. */
  apiKeys?: ApiKey[]
  /** How many proxies of ours stand between the client and us. */
  trustedProxies?: number
  /** Whose pages may call this API from another origin. */
  corsOrigins?: string[]
  /** The address that the connection of a request comes from. */
  addressOf: AddressOf
  /** The name or address that the server listens on, where it is one of ours. */
  listensOn?: string
  /** After this long without a heartbeat a worker is shown as not alive. */
  workerMissingAfterMs: number
  /** Folder with the built page, where this process serves it. */
  webRoot?: string
  /** Served at `/metrics`, where this process has them. */
  metrics?: Metrics
}

export interface ApiDependencies
  extends ApiSettings,
    Pick<
      Connections,
      'taskReader' | 'taskList' | 'logStore' | 'workerStore' | 'queueStore' | 'sharedQueries'
    > {
  registry: Registry
  service: TaskService
  watcher: TaskWatcher
  health: HealthDependencies
  events: Events
  admit: Admission
}

/** `watcher` is to be stopped with the process; everything else ends with the connections. */
export function createApiDependencies(
  connections: Connections,
  registry: Registry,
  events: Events,
  settings: ApiSettings,
): ApiDependencies {
  const {
    database,
    taskStore,
    dispatchStore,
    taskReader,
    taskList,
    logStore,
    workerStore,
    queueStore,
    sharedQueries,
    queue,
    signals,
  } = connections
  return {
    ...settings,
    registry,
    events,
    admit: createAdmission({
      apiKeys: settings.apiKeys,
      rateLimiter: connections.rateLimiter,
      clientAddress: clientAddressBehind(settings.trustedProxies ?? 0, settings.addressOf),
    }),
    taskReader,
    taskList,
    logStore,
    workerStore,
    queueStore,
    sharedQueries,
    service: createTaskService({
      registry,
      store: taskStore,
      dispatchStore,
      find: taskReader.find,
      queue,
      signals,
      events,
    }),
    watcher: createTaskWatcher({
      findChanged: taskReader.findChanged,
      find: taskReader.find,
      signals,
      events,
    }),
    health: { pingDatabase: database.ping, isRedisReady: () => queue.isReady('default') },
  }
}

export interface HealthDependencies {
  /** Resolves when Postgres answers. */
  pingDatabase: () => Promise<void>
  isRedisReady: () => boolean
  /** Whether the process does its work, and does not merely exist; absent where an answer is proof enough. */
  isLive?: () => boolean
}
