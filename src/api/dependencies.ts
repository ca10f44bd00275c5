// Builds the dependencies of the API routes from the connections of the process.
import type { ApiKey } from '../config.ts'
import type { Connections } from '../connections.ts'
import type { Registry } from '../definitions/registry.ts'
import { createEnqueuer } from '../service/enqueuer.ts'
import { createScheduleService, type ScheduleService } from '../service/schedules.ts'
import { createTaskService, type TaskService } from '../service/task-service.ts'
import { createTaskWatcher, type TaskWatcher } from '../service/task-watcher.ts'
import type { Events } from '../telemetry/events.ts'
import type { RenderedMetrics } from '../telemetry/metrics.ts'
import { createHealthChecks, type HealthChecks } from './health-checks.ts'
import { type Admission, createAdmission } from './http/admission.ts'
import { type AddressOf, clientAddressBehind } from './http/client-address.ts'

/** The code that runs in `dev`, which loads edits of the project. */
export interface ReloadState {
  /** Number of the code that runs. It grows with every reload. */
  version: number
  /** Why the last edit could not be loaded; null if the code that runs is the newest. */
  error: string | null
}

export interface ApiSettings {
  bodyLimitBytes: number
  /** Accepted API keys; undefined if the API accepts requests without a key. */
  apiKeys?: ApiKey[]
  /** Number of trusted proxies between the client and this process. The default is 0. */
  trustedProxies?: number
  /** Origins of other sites whose pages may call the API. */
  corsOrigins?: string[]
  /** Returns the remote address of a request's connection. */
  addressOf: AddressOf
  /** Name or address that the server listens on; undefined if the process opens no port itself (Lambda). */
  listensOn?: string
  /** Age of the last heartbeat, in milliseconds, from which the API reports a worker as not alive. */
  workerMissingAfterMs: number
  /** State of the reload of the project, which the page shows; only in `dev`. */
  reloadState?: () => ReloadState
  /** Folder of the built web page; undefined if this process does not serve it. */
  webRoot?: string
  /** Metrics that the API serves at `/metrics`; undefined if it has no such route. */
  metrics?: RenderedMetrics
}

/**
 * Dependencies of the API routes. Routes use the stores directly, for example to read tasks, but they submit,
 * cancel, retry and replay tasks only through `service`.
 */
export interface ApiDependencies
  extends ApiSettings,
    Pick<
      Connections,
      | 'taskReader'
      | 'taskList'
      | 'heldReader'
      | 'logStore'
      | 'workerStore'
      | 'queueStore'
      | 'sharedQueries'
      | 'signals'
    > {
  registry: Registry
  service: TaskService
  schedules: ScheduleService
  watcher: TaskWatcher
  health: HealthChecks
  events: Events
  admit: Admission
}

/**
 * Creates the dependencies of the API routes from open connections. To stop the API, the caller must stop
 * `watcher` (which queries changes of tasks for waiting requests) and close `connections`.
 */
export function createApiDependencies(
  connections: Connections,
  registry: Registry,
  events: Events,
  settings: ApiSettings,
): ApiDependencies {
  const { database, taskStore, dispatchStore, limitStore, uniqueStore, taskReader } = connections
  const { queue, signals, rateLimiter } = connections
  const { find, findBytes, findChanged } = taskReader
  const { apiKeys, trustedProxies = 0, addressOf } = settings
  const enqueuer = createEnqueuer({ queue, dispatchStore, limitStore, signals, events })
  const clientAddress = clientAddressBehind(trustedProxies, addressOf)
  return {
    ...connections,
    ...settings,
    registry,
    events,
    admit: createAdmission({ apiKeys, rateLimiter, clientAddress, bodyLimitBytes: settings.bodyLimitBytes }),
    service: createTaskService({
      registry,
      store: taskStore,
      limitStore,
      uniqueStore,
      find,
      findBytes,
      enqueuer,
      queue,
      signals,
      events,
    }),
    schedules: createScheduleService({ registry, store: connections.scheduleStore, enqueuer, events }),
    watcher: createTaskWatcher({ findChanged, find, signals, events }),
    health: createHealthChecks({
      pingDatabase: database.ping,
      isRedisReady: () => queue.isReady('default'),
    }),
  }
}
