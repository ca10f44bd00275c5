// What the core announces. It does not know who listens: logs today, metrics beside them.
import { EventEmitter } from 'node:events'
import type { TaskStatus } from '../task-status.ts'

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
  'tasks.accepted': [{ count: number }]
  'bells.failed': [{ count: number; error: unknown }]
  'bells.rung': [{ reason: 'due' | 'unheard'; count: number }]
  'task.started': [AnnouncedTask]
  'task.finished': [AnnouncedTask & { status: TaskStatus; runMs: number; error?: string; delayMs?: number }]
  /** A result came too late: another attempt had been given the task. */
  'task.refused': [AnnouncedTask]
  'task.log': [AnnouncedTask & { message: string; fields?: Record<string, unknown> }]
  'task.lost': [{ taskId: string; name: string; attempt: number; workerId: string | null }]
  'worker.started': [{ workerId: string; queues: string[]; concurrency: number }]
  /** A consumer took nothing although something waited and a slot was free; it was replaced. */
  'worker.stuck': [{ queue: string; waitingMs: number }]
  'worker.stopping': [{ workerId: string; running: number }]
  'worker.stopped': [{ workerId: string; putBack: number }]
  'request.finished': [{ method: string; path: string; status: number; ms: number; requestId: string }]
  /** Something in the background failed and will be tried again. */
  trouble: [{ where: string; error: unknown }]
  /** A request failed for a reason that is ours. */
  bug: [{ where: string; error: unknown; requestId?: string }]
}

export type Events = EventEmitter<TelemetryEvents>

export function createEvents(): Events {
  return new EventEmitter<TelemetryEvents>()
}
