// The events that API and worker emit; logs, metrics and statistics listen to them. Listeners must not throw.
import { EventEmitter } from 'node:events'
import type { TaskStatus } from '../definitions/task-status.ts'

/** One attempt of a task, with the request that submitted the task. */
export interface AnnouncedTask {
  taskId: string
  name: string
  attempt: number
  requestId?: string
  /** W3C Trace Context of that request. */
  traceparent?: string
}

export interface TelemetryEvents {
  'tasks.accepted': [{ tasks: readonly { name: string; queue: string }[] }]
  /** These tasks were cancelled while they were waiting. */
  'tasks.cancelled': [{ tasks: readonly { name: string }[] }]
  /** One statement of a group commit was written. */
  'batch.written': [{ kind: BatchKind; size: number }]
  /** Task references could not be put into Redis. A worker enqueues them later. */
  'enqueue.failed': [{ count: number; error: unknown }]
  /** A worker enqueued tasks. `due`: their time had come; `lost`: their delivery was lost. */
  'tasks.enqueued': [{ reason: 'due' | 'lost'; count: number }]
  /** `waitMs`: from when the attempt was due until it was claimed, both by the clock of Postgres. */
  'task.started': [AnnouncedTask & { waitMs: number }]
  /** `runMs`: from the start of the handler until it settled, without the time to write the result. */
  'task.finished': [AnnouncedTask & { status: TaskStatus; runMs: number; error?: string; delayMs?: number }]
  /** A result was rejected, because its attempt was no longer the current one of the task. */
  'task.refused': [AnnouncedTask]
  'task.log': [AnnouncedTask & { message: string; fields?: Record<string, unknown> }]
  /** The attempt of a missing worker was ended by another worker. `status`: the new status of the task. */
  'task.lost': [AnnouncedTask & { workerId: string | null; status: TaskStatus }]
  /** `slots` always has the current numbers and can be read at any time until `worker.stopped`. */
  'worker.started': [{ workerId: string; queues: string[]; concurrency: number; slots: SlotCount }]
  /** A consumer fetched nothing although a delivery waited and a slot was free. It was replaced. */
  'worker.stuck': [{ queue: string; waitingMs: number }]
  'worker.stopping': [{ workerId: string; running: number }]
  /** `released`: how many attempts were still running after the grace period and were aborted. */
  'worker.stopped': [{ workerId: string; released: number }]
  /** `route`: the pattern of the matching route, or `none`. */
  'request.finished': [
    {
      method: string
      path: string
      route: string
      status: number
      ms: number
      requestId: string
      traceparent?: string
    },
  ]
  /** Background work failed and will be retried. */
  'error.transient': [{ where: string; error: unknown }]
  /** An error that is not known to be transient. A request that fails with it returns "Internal error". */
  'error.unexpected': [{ where: string; error: unknown; requestId?: string }]
}

export type BatchKind = 'submissions' | 'claims' | 'results'

export interface SlotCount {
  readonly capacity: number
  readonly free: number
}

export type Events = EventEmitter<TelemetryEvents>

export function createEvents(): Events {
  return new EventEmitter<TelemetryEvents>()
}
