// What the API is made of: given by whoever starts it, known to every route.
import type { TaskReader } from '../store/task-reader.ts'
import type { WorkerStore } from '../store/worker-store.ts'
import type { TaskService } from '../task-service.ts'
import type { TaskWatcher } from '../task-watcher.ts'
import type { Registry } from '../tasks/registry.ts'
import type { Events } from '../telemetry/events.ts'
import type { HealthDependencies } from './health-routes.ts'

export interface ApiDependencies {
  registry: Registry
  service: TaskService
  reader: TaskReader
  watcher: TaskWatcher
  workerStore: WorkerStore
  health: HealthDependencies
  events: Events
  bodyLimitBytes: number
  /** After this long without a heartbeat a worker is shown as not alive. */
  workerSilentMs: number
  /** Folder with the built page, where this process serves it. */
  webRoot?: string
}
