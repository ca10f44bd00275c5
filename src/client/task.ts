// A task and what belongs to it, as the API returns them. Times are in RFC 3339, e.g. 2030-01-31T12:00:00.000Z.

export type TaskStatus = 'PENDING' | 'STARTED' | 'RETRY' | 'SUCCESS' | 'FAILURE' | 'CANCELLED'

export type Priority = 'high' | 'normal' | 'low'

/** Why an attempt failed. */
export interface TaskError {
  name: string
  message: string
  /** Whether the error allows another attempt. */
  retryable: boolean
  /** Stack of the error. Only set if the error was thrown outside of the promise of its attempt. */
  stack?: string
  /** Last lines of the standard error of an isolated process that ended during the attempt. */
  stderr?: string
}

export interface Progress {
  /** From 0 to 1. */
  fraction: number
  message: string | null
}

export interface Task {
  /** UUIDv7: ids sort in the order of submission. */
  id: string
  /** Name of the definition. */
  name: string
  queue: string
  status: TaskStatus
  input: unknown
  /** The result; null until the task has succeeded. */
  result: unknown
  /** Why the last attempt failed. */
  error: TaskError | null
  progress: Progress
  /** Number of the current or last attempt; 0 before the first. */
  attempt: number
  /** Failed attempts that count against `max_retries`. */
  failures: number
  max_retries: number
  timeout_seconds: number
  tags: string[]
  /** Tasks with a higher priority start first within their queue. */
  priority: Priority
  /** The task ends as CANCELLED if it has not started by then. */
  expires_at: string | null
  /** The next attempt does not start before this time. */
  run_at: string
  created_at: string
  /** Start of the last attempt. */
  started_at: string | null
  finished_at: string | null
  worker_id: string | null
  /** Whether attempts run in isolated processes, one at a time in each. */
  is_isolated: boolean
  cancel_requested_at: string | null
  /** The task that this one replays. */
  replayed_from: string | null
  /** The task for which this one was created, e.g. the task that a callback reports. */
  parent_id: string | null
  /** URL to which the task is posted when it has ended. */
  callback_url: string | null
  /** The task that sends the callback; null until this task has ended. */
  callback_id: string | null
  /** X-Request-Id of the submission. */
  request_id: string | null
  /** W3C Trace Context of the submission. */
  traceparent: string | null
  /** The task has finished. It changes only if a client retries it. */
  is_final: boolean
  /** Paths of the operations on this task. */
  links: TaskLinks
}

export interface TaskLinks {
  self: string
  events: string
  logs: string
  cancel: string
  retry: string
  replay: string
}

/** Response to a submission. */
export interface AcceptedTask extends Task {
  /** Allows reading this task without an API key. Only set if the API requires keys. */
  poll_token?: string
  /** True if the submission has created no task, because it has met this unique one. Otherwise not set. */
  is_existing?: boolean
}

/** Response to the read of a single task. */
export interface TaskWithAttempts extends Task {
  /** What the task waits for if a limit, a priority or an expiry holds it; otherwise null. */
  waits_for: Wait | null
  /** Failed and lost attempts, oldest first. */
  attempts: Attempt[]
}

/** What a held task waits for. */
export interface Wait {
  /**
   * `due`: its time has not come. `paused`: its queue is paused. `concurrency`, `rate`: a limit is used up. `turn`:
   * other tasks are first, or no worker has a free slot.
   */
  reason: 'due' | 'paused' | 'concurrency' | 'rate' | 'turn'
  /** Whose limit is used up; null for other reasons. */
  scope: 'definition' | 'queue' | null
  /** Key of the limit; null if the limit has no keys. */
  key: string | null
  /** Tasks with the same definition, priority and keys that start before it; at most 10,000. */
  ahead: number
  message: string
}

export interface Attempt {
  /** Number of the attempt; the first is 1. */
  attempt: number
  error: TaskError
  worker_id: string | null
  started_at: string | null
  ended_at: string
  /**
   * How the attempt ended after it had been given up, for example because its worker was missing. The end was
   * refused: it has not changed the task.
   */
  refused: RefusedEnd | null
}

export interface RefusedEnd {
  /** When the attempt ended, by the clock of the worker. */
  at: string
  /** Status that this end would have given the task. */
  status: Exclude<TaskStatus, 'STARTED'>
  /** The result; null if the attempt returned none, or if it is larger than 16 KiB of JSON. */
  result: unknown
  /** The first 16 KiB of the JSON of a larger result; null if `result` is complete. */
  result_excerpt: string | null
  error: TaskError | null
  /** The last lines of the log: at most 100 lines and 16 KiB, with their fields in `message`. */
  log: { at: string; message: string }[]
}

/** Log lines of a task, oldest first. */
export interface TaskLogs {
  data: LogLine[]
  /** `after` of the next request. Also set if there are no more lines yet, so that a client can follow the log. */
  next_after: number
}

export interface LogLine {
  id: number
  /** Number of the attempt that wrote the line; 0 for lines before the first attempt. */
  attempt: number
  /** Time by the clock of the worker. */
  at: string
  message: string
  fields: Record<string, unknown> | null
}

/** Options of a submission. Those that are not set have the default of the definition. */
export interface TaskOptions {
  /** Earliest start of the task, in RFC 3339. Not together with `delay_seconds`. */
  run_at?: string
  /** Delay in seconds before the task may start: at most a year. */
  delay_seconds?: number
  /** Maximum number of retries after failed attempts: 0 to 100. */
  max_retries?: number
  /** Time limit of one attempt in seconds: 0.1 to 604,800. */
  timeout_seconds?: number
  /** Queue of the task. Only workers that serve this queue run it. */
  queue?: string
  /** Priority of the task within its queue. Lower priorities still get one start in ten. */
  priority?: Priority
  /** The task ends as CANCELLED if it has not started by then, in RFC 3339. Not with `expires_in_seconds`. */
  expires_at?: string
  /** The task ends as CANCELLED if it has not started within this time: more than 0, at most a year. */
  expires_in_seconds?: number
  /** At most 20 labels for filtering, of at most 64 characters each. */
  tags?: string[]
  /** URL to which the task is posted when it has ended. */
  callback_url?: string
}
