// Types of tasks that are submitted but not inserted yet.
import type { QueuePart } from '../definitions/delivery-queue.ts'
import type { Hold, Priority } from '../definitions/limits.ts'
import type { Uniqueness } from '../definitions/uniqueness.ts'
import type { MarkedTask } from './held/hold-tasks.ts'
import type { IdempotencyKeyRow, TaskRow } from './schema.ts'

export interface NewTask {
  id: string
  name: string
  queue: string
  input: unknown
  /** `input` as JSON text, if the caller has serialized it already; otherwise the store serializes it. */
  inputText?: string
  maxRetries: number
  timeoutMs: number
  /** Whether attempts run in isolated processes; false by default. */
  isIsolated?: boolean
  tags: string[]
  createdAt: Date
  /** Earliest start of the task; undefined if it may start immediately. */
  runAt?: Date
  requestId?: string
  traceparent?: string
  callbackUrl?: string
  replayedFrom?: string
  parentId?: string
  /** How the task is held; undefined for a plain task, which goes through Redis. */
  hold?: Hold
  /** How the task is unique; undefined if it is not. `insertUniqueTasks` inserts unique tasks. */
  unique?: Uniqueness
}

/** A task with an idempotency key: repeated submissions create it once. */
export interface OnceTask extends NewTask {
  /**
   * `key`: hash of the Idempotency-Key, the name of the client's API key, the API operation that was called,
   * and, if the request creates several tasks, which of them this is. `fingerprint`: hash of the request's
   * body. Both have the form of a UUID.
   */
  idempotency: { key: string; fingerprint: string }
}

/** Returns the priority as it is stored in the row of a task: undefined if it is normal. */
export function storedPriority({ hold }: NewTask): Priority | undefined {
  return hold?.priority === 'normal' ? undefined : hold?.priority
}

export function inputTextOf({ input, inputText }: NewTask): string {
  return inputText ?? JSON.stringify(input)
}

/** Whether due tasks of this part of a queue wait in Postgres. New ones must then wait behind them. */
export type HasBacklog = (part: QueuePart) => boolean

/** What is stored of the first submission with an idempotency key. */
export type FirstSubmission = Omit<IdempotencyKeyRow, 'createdAt'>

/** Result of inserting a task with an idempotency key. */
export interface OnceResult {
  /** The first submission with the key; null if this one is the first, and the task was inserted. */
  first: FirstSubmission | null
  /** When the row was marked as enqueued, in ms since 1970 by the clock of Postgres; null if it is not. */
  enqueuedAtMs: number | null
}

/** A unique task that is submitted, with or without an idempotency key. */
export interface UniqueTask extends NewTask {
  unique: Uniqueness
  idempotency?: OnceTask['idempotency']
}

/** Result of inserting a unique task. Without a `first`, either `created` or `existing` is not null. */
export interface UniqueResult extends OnceResult {
  /** The task as it was inserted: other submissions of the same batch may have replaced its input. */
  created: NewTask | null
  /** The task that the submission has met, after its changes. */
  existing: TaskRow | null
  /** Tasks that were marked as enqueued, and that the caller must hold instead of enqueuing them. */
  toHold: MarkedTask[]
}
