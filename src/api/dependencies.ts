// What the API is made of: assembled from the connections of a process, known to every route.
import type { Connections } from '../connections.ts'
import { createTaskService, type TaskService } from '../task-service.ts'
import { createTaskWatcher, type TaskWatcher } from '../task-watcher.ts'
import type { Registry } from '../tasks/registry.ts'
import type { Events } from '../telemetry/events.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { HealthDependencies } from './health-routes.ts'

export interface ApiSettings {
  bodyLimitBytes: number
  /** After this long without a heartbeat a worker is shown as not alive. */
  workerSilentMs: number
  /** Folder with the built page, where this process serves it. */
  webRoot?: string
  /** Served at `/metrics`, where this process has them. */
  metrics?: Metrics
}

export interface ApiDependencies
  extends ApiSettings,
    Pick<Connections, 'taskReader' | 'workerStore' | 'queueStore'> {
  registry: Registry
  service: TaskService
  watcher: TaskWatcher
  health: HealthDependencies
  events: Events
}

/** `watcher` is to be stopped with the process; everything else ends with the connections. */
export function createApiDependencies(
  connections: Connections,
  registry: Registry,
  events: Events,
  settings: ApiSettings,
): ApiDependencies {
  const { database, taskStore, bellStore, taskReader, workerStore, queueStore, queue, signals } = connections
  return {
    ...settings,
    registry,
    events,
    taskReader,
    workerStore,
    queueStore,
    service: createTaskService({
      registry,
      store: taskStore,
      bells: bellStore,
      find: taskReader.find,
      queue,
      signals,
      events,
    }),
    watcher: createTaskWatcher({ findFinished: taskReader.findFinished, signals, events }),
    health: { pingDatabase: database.ping, isRedisReady: () => queue.isReady('default') },
  }
}
