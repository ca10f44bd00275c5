// Definitions, workers, queues and statistics, as the API returns them.
import type { Priority, TaskStatus } from './task.ts'

export interface Definition {
  name: string
  title: string
  description: string
  queue: string
  max_retries: number
  timeout_seconds: number
  /** Limits of attempts, which run in isolated processes; null if they run in the worker. */
  isolated: IsolationLimits | null
  priority: Priority
  /** Limit of the attempts that run at the same time; null without a limit. */
  concurrency: DefinitionLimit | null
  /** Limit of the attempts that start in any `per_seconds`; null without a limit. */
  rate_limit: (DefinitionLimit & { per_seconds: number }) | null
  input_schema: JsonSchema
  output_schema: JsonSchema
  /** A valid input. */
  example: unknown
}

export interface IsolationLimits {
  /** Memory that the process may use, in MiB; above it the attempt fails. */
  memory_mb: number
  /** How long an attempt may run on after its abort, before its process is killed. */
  kill_grace_seconds: number
  /** Attempts after which a process is replaced. */
  max_attempts_per_process: number
}

export interface DefinitionLimit {
  limit: number
  /** Whether the limit applies to each key of the tasks. */
  is_keyed: boolean
}

/** A JSON Schema (draft 2020-12) of an object. */
export interface JsonSchema {
  type?: string
  title?: string
  description?: string
  format?: string
  properties?: Record<string, JsonSchema>
  required?: string[]
  [keyword: string]: unknown
}

export interface Worker {
  id: string
  host: string
  pid: number
  /** Version of Waggle. */
  version: string
  queues: string[]
  /** Maximum number of attempts that run at the same time, without those in isolated processes. */
  concurrency: number
  /** Isolated processes; each runs one attempt at a time, in addition to `concurrency`. */
  isolated_processes: number
  /** Number of attempts that run now. */
  running: number
  processed: number
  failed: number
  /** Slots whose handlers ignore their abort and run on although their attempts have ended. */
  leaked: number
  started_at: string
  last_beat_at: string
  /** Whether its last heartbeat is younger than WORKER_MISSING_AFTER_SECONDS. */
  is_alive: boolean
  /** It claims no more tasks; running tasks continue. */
  is_draining: boolean
}

/** Limits of a queue, over all workers and definitions. */
export interface QueueLimits {
  /** Maximum number of attempts that run at the same time; null without a limit. */
  concurrency: number | null
  /** Maximum number of attempts that start in any `per_seconds`; null without a limit. */
  rate_limit: { limit: number; per_seconds: number } | null
}

export interface Queue {
  name: string
  waiting: number
  running: number
  /** Those of the waiting tasks that limits, a priority or an expiry hold. */
  held: number
  /** Limits of the whole queue; null if it has none. */
  limits: QueueLimits | null
  /** How long the oldest due task had been due at the time of the count; null if no task was due. */
  oldest_waiting_seconds: number | null
  /** When the tasks were counted: some seconds ago, or minutes if there are millions of unfinished tasks. */
  counted_at: string
  /** No task of a paused queue starts; running tasks continue. */
  is_paused: boolean
  paused_at: string | null
  /** Number of live workers that serve the queue and are not draining. */
  workers: number
}

export interface KeysQuery {
  queue?: string
  /** Name of the definition. */
  name?: string
  /** Only keys that contain this text. */
  search?: string
  /** Maximum number of keys: 1 to 1,000. Default: 100. */
  limit?: number
}

/** Unfinished held tasks with the same definition, queue, priority and keys. */
export interface KeyCount {
  /** Name of the definition. */
  name: string
  queue: string
  priority: Priority
  /** Null if the limit has no keys. */
  concurrency_key: string | null
  /** Null if the limit has no keys. */
  rate_key: string | null
  waiting: number
  running: number
}

export interface StatisticsQuery {
  /** Length of the window in seconds: 60 to 604,800. Default: 3,600. */
  window?: number | string
}

/** Statistics of a time window that ends now. Lists have one entry per step of the window. */
export interface Statistics {
  /** Length of the window: the current step and the steps before it. */
  window_seconds: number
  /** When the figures were read; they may be some seconds old. */
  at: string
  /** PENDING, STARTED and RETRY: tasks now. SUCCESS, FAILURE and CANCELLED: tasks within the window. */
  by_status: Record<TaskStatus, number>
  waiting: number
  running: number
  /** How long the oldest due task has been due; null if no task is due. */
  oldest_waiting_seconds: number | null
  accepted: number
  /** Tasks per second that ended as SUCCESS, FAILURE or CANCELLED. */
  throughput_per_second: number
  /** Share of FAILURE among the tasks that ended as SUCCESS or FAILURE; null if there are none. */
  failure_rate: number | null
  /** From the due time of an attempt to its start. */
  wait_ms: Percentiles
  /** From the start of an attempt to the end of its code. */
  run_ms: Percentiles
  series: StatisticsSeries
  /** Definitions with activity within the window, sorted by name. */
  definitions: DefinitionStatistics[]
}

/** Percentiles in milliseconds, within 19 %; null if there are no values. */
export interface Percentiles {
  p50: number | null
  p95: number | null
  p99: number | null
}

export interface StatisticsSeries {
  step_seconds: number
  /** Start of each step; the last step has not ended yet. */
  starts_at: string[]
  accepted: number[]
  succeeded: number[]
  failed: number[]
  cancelled: number[]
  /** Attempts that failed and are retried. */
  retried: number[]
  wait_p95_ms: (number | null)[]
  run_p95_ms: (number | null)[]
}

export interface DefinitionStatistics {
  name: string
  accepted: number
  succeeded: number
  failed: number
  cancelled: number
  retried: number
  failure_rate: number | null
  wait_p95_ms: number | null
  run_p50_ms: number | null
  run_p95_ms: number | null
  /** Tasks that ended, per step. */
  series: number[]
}

export type Scope = 'submit' | 'read' | 'operate' | 'reveal'

export interface Access {
  /** Name of the API key; null if the API requires no keys. */
  key: string | null
  /** Scopes of the caller. */
  scopes: Scope[]
}

/** `degraded`: tasks are accepted, and run when Redis can be reached again. */
export type Readiness = { status: 'ok' } | { status: 'degraded'; reason: string }
