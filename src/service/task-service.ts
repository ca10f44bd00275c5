// Everything that producers of tasks can do: submit, replay, cancel, retry. When a promise resolves, the
// change is committed in Postgres.
import { deliveryQueueOf } from '../definitions/delivery-queue.ts'
import type { Registry } from '../definitions/registry.ts'
import type { Queue } from '../redis/queue.ts'
import type { Signals } from '../redis/signals.ts'
import type { LimitStore } from '../store/held/limit-store.ts'
import type { TaskRow } from '../store/schema.ts'
import type { TaskStore } from '../store/task-store.ts'
import type { UniqueStore } from '../store/unique/unique-store.ts'
import type { Events } from '../telemetry/events.ts'
import { type CancelAndRetry, createCancelAndRetry } from './cancel-and-retry.ts'
import type { Enqueuer } from './enqueuer.ts'
import { createReplay, type Replay } from './replay.ts'
import { createSubmit, type Submit } from './submit.ts'

export interface TaskService extends Replay, CancelAndRetry {
  submit: Submit
  /**
   * Resolves when the enqueues of all committed tasks have succeeded or failed. AWS Lambda waits for it,
   * because it freezes the process after each response.
   */
  whenEnqueued(): Promise<void>
}

export interface TaskServiceDependencies {
  registry: Registry
  store: TaskStore
  limitStore: LimitStore
  uniqueStore: UniqueStore
  find: (id: string) => Promise<TaskRow | undefined>
  findBytes: (ids: string[]) => Promise<Map<string, number>>
  enqueuer: Enqueuer
  queue: Queue
  signals: Signals
  events: Events
}

export function createTaskService(dependencies: TaskServiceDependencies): TaskService {
  const { registry, store, limitStore, uniqueStore, find, findBytes } = dependencies
  const { enqueuer, queue, signals, events } = dependencies
  const { submit, resubmit } = createSubmit({ registry, store, uniqueStore, find, enqueuer, events })
  // Connects to Redis for the queues of all definitions. Without a connection the first enqueue would fail,
  // and its task would wait for the dispatcher of a worker.
  for (const { queue: name, isolate } of registry.all)
    void queue.prepare(deliveryQueueOf({ queue: name, isIsolated: isolate !== undefined }))
  return {
    submit,
    ...createReplay({ find, findBytes, submit, resubmit }),
    ...createCancelAndRetry({ registry, store, limitStore, uniqueStore, enqueuer, signals, events }),
    whenEnqueued: enqueuer.whenIdle,
  }
}
