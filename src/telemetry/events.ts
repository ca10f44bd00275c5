// What the core announces. It does not know who listens: logs, and metrics beside them. Listeners must not throw.
import { EventEmitter } from 'node:events'
import type { TaskStatus } from '../definitions/task-status.ts'

/** One attempt of a task, and the request that it goes back to. */
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
  /** These waited, and will not be run. */
  'tasks.cancelled': [{ tasks: readonly { name: string }[] }]
  /** One statement of a group commit was written. */
  'batch.written': [{ kind: BatchKind; size: number }]
  'enqueue.failed': [{ count: number; error: unknown }]
  'tasks.enqueued': [{ reason: 'due' | 'lost'; count: number }]
  /** `waitMs`: from the moment at which this attempt was due until it was claimed, both as Postgres has them. */
  'task.started': [AnnouncedTask & { waitMs: number }]
  /** `runMs`: from the start of the handler until it settled; writing the result is not in it. */
  'task.finished': [AnnouncedTask & { status: TaskStatus; runMs: number; error?: string; delayMs?: number }]
  /** A result came too late: another attempt had been given the task. */
  'task.refused': [AnnouncedTask]
  'task.log': [AnnouncedTask & { message: string; fields?: Record<string, unknown> }]
  /** A silent worker's attempt was ended by another one; `status` is what the task has become. */
  'task.lost': [AnnouncedTask & { workerId: string | null; status: TaskStatus }]
  /** `slots` is to be read whenever somebody wants to know, until the worker has stopped. */
  'worker.started': [{ workerId: string; queues: string[]; concurrency: number; slots: SlotCount }]
  /** A consumer took nothing although something waited and a slot was free; it was replaced. */
  'worker.stuck': [{ queue: string; waitingMs: number }]
  'worker.stopping': [{ workerId: string; running: number }]
  'worker.stopped': [{ workerId: string; release: number }]
  /** `route`: the pattern that the path matched, `none` where it matched none. */
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
  /** Something in the background failed and will be tried again. */
  'error.transient': [{ where: string; error: unknown }]
  /** A request failed for a reason that is ours. */
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
