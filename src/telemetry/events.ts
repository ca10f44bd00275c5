// The events that API and worker emit; logs, metrics and statistics listen to them. Listeners must not throw,
// because EventEmitter calls them inside the code that emits the event.
import { EventEmitter } from 'node:events'
import type { TaskStatus } from '../definitions/task-status.ts'

/** Members of all events about one attempt of a task, including the ids of the request that submitted it. */
export interface AnnouncedTask {
  taskId: string
  name: string
  attempt: number
  requestId?: string
  /** W3C Trace Context of the request that submitted the task. */
  traceparent?: string
}

export interface TelemetryEvents {
  'tasks.accepted': [{ tasks: readonly { name: string; queue: string }[] }]
  /** Tasks were cancelled while they waited (PENDING or RETRY). No worker emits `task.finished` for them. */
  'tasks.cancelled': [{ tasks: readonly { name: string }[] }]
  /** A group commit wrote `size` items in one statement. */
  'batch.written': [{ kind: BatchKind; size: number }]
  /** `count` task references could not be put into Redis. A worker enqueues them later. */
  'enqueue.failed': [{ count: number; error: unknown }]
  /**
   * `due`: the dispatcher of a worker enqueued tasks. `lost`: its reconciler marked tasks with lost
   * deliveries as not enqueued.
   */
  'tasks.enqueued': [{ reason: 'due' | 'lost'; count: number }]
  /** A worker has dealt with ticks of a schedule: `made` of them have made a task, `skipped` have not. */
  'schedule.ticked': [{ schedule: string; made: number; skipped: number }]
  /** A worker makes no task of a schedule now, e.g. because its definition does not accept the input. */
  'schedule.refused': [{ schedule: string; problem: string }]
  /** An attempt starts. `waitMs`: from when it was due until it was claimed, by the clock of Postgres. */
  'task.started': [AnnouncedTask & { waitMs: number }]
  /**
   * The end of an attempt was written. `runMs`: until the result was serialized or the handler was given up,
   * without the write. `delayMs`: delay before the next attempt.
   */
  'task.finished': [AnnouncedTask & { status: TaskStatus; runMs: number; error?: string; delayMs?: number }]
  /**
   * The end of an attempt came too late: the attempt was no longer the current one of its task, or was given
   * up before. The end is kept with the attempt if it contains a result, an error or log lines.
   */
  'task.refused': [AnnouncedTask]
  /** A line that code of the project logs outside of tasks, for example when it opens its services. */
  'project.log': [{ message: string; fields?: Record<string, unknown> }]
  'task.log': [AnnouncedTask & { message: string; fields?: Record<string, unknown> }]
  /** A worker ended the attempt of a missing worker (`workerId`). `status`: the new status of the task. */
  'attempt.lost': [AnnouncedTask & { workerId: string | null; status: TaskStatus }]
  /**
   * A worker started. `slots` and `isolatedSlots` (one per isolated process) are live objects: they always
   * have the current numbers, and listeners can read them until `worker.stopped`.
   */
  'worker.started': [
    { workerId: string; queues: string[]; concurrency: number; slots: SlotCount; isolatedSlots: SlotCount },
  ]
  /**
   * A worker replaced the consumer of a queue, which fetched nothing while a delivery waited and a slot was
   * free.
   */
  'worker.stuck': [{ queue: string; waitingMs: number }]
  /**
   * A handler ignored its abort, so its attempt was ended without it. The slot counts as leaked until the
   * handler returns. `leaked`: how many of the `capacity` slots of the worker are leaked now.
   */
  'slot.leaked': [
    AnnouncedTask & { workerId: string; reason: string | undefined; leaked: number; capacity: number },
  ]
  /**
   * A worker cannot continue: it claims no more tasks, stops, and its process exits with 1. `running`: the
   * attempts that were running at that time.
   */
  'worker.failed': [{ workerId: string; reason: string; error?: unknown; running: AnnouncedTask[] }]
  /**
   * The event loop of a worker was blocked for `ms` milliseconds, so that other tasks were delayed. `frames`:
   * what ran, as `function file:line`, the innermost first. For an attempt it is emitted once, at its end,
   * with the sum of its blocks. `name` is undefined if the code belonged to no running attempt.
   */
  'loop.blocked': [{ workerId: string; ms: number; frames: string[] } & Partial<AnnouncedTask>]
  'worker.stopping': [{ workerId: string; running: number }]
  /**
   * A worker stopped. `released`: how many attempts were still running after the grace period, and were
   * aborted and released.
   */
  'worker.stopped': [{ workerId: string; released: number }]
  /** The API sent a response after `ms` milliseconds. `route`: pattern of the matching route, or `none`. */
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
  /**
   * An error that is expected to pass, e.g. an outage of Postgres or Redis. Background work is repeated or
   * repaired later; a request gets a 503 or 504 response.
   */
  'error.transient': [{ where: string; error: unknown }]
  /** An error that is not known to be transient. If a request causes it, the response is "Internal error". */
  'error.unexpected': [
    { where: string; error: unknown; requestId?: string; taskId?: string; attempt?: number },
  ]
}

export type BatchKind = 'submissions' | 'claims' | 'results'

export interface SlotCount {
  readonly capacity: number
  readonly free: number
  readonly leaked: number
}

export type Events = EventEmitter<TelemetryEvents>

export function createEvents(): Events {
  return new EventEmitter<TelemetryEvents>()
}
