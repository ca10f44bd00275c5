// The hooks of a project: functions that a worker calls when an attempt has ended, e.g. to report errors.
import type { Log, Services } from './services.ts'

export interface HookTask {
  id: string
  name: string
  /** Number of the attempt that has ended. */
  attempt: number
  /** Queue and tags; undefined if they could not be read, e.g. because the task was removed meanwhile. */
  queue?: string
  tags?: string[]
  /** X-Request-Id and W3C Trace Context of the request that submitted the task. */
  requestId?: string
  traceparent?: string
}

export interface HookError {
  name: string
  message: string
  /** Undefined if no code of the task has thrown, e.g. if its worker was lost. */
  stack?: string
}

export interface AttemptEvent {
  task: HookTask
  /** The services of the project. */
  services: Services
  /** Writes a line to the log of the process. */
  log: Log
}

export interface AttemptErrorEvent extends AttemptEvent {
  error: HookError
  /** Whether another attempt follows. */
  willRetry: boolean
}

/**
 * A worker calls the hooks after the end of an attempt is stored, at most once per event: not at all if its process
 * dies at that moment, or if too many calls are under way. A hook cannot change the task and does not delay it; its
 * errors are logged.
 */
export interface Hooks {
  /**
   * An attempt has failed: it has thrown, timed out, or its worker was lost or has crashed. Not for the attempts of
   * cancelled tasks.
   */
  onAttemptError?: (event: AttemptErrorEvent) => void | Promise<void>
  /** A task has ended as FAILURE. Called after `onAttemptError` of its last attempt was called. */
  onFailure?: (event: AttemptErrorEvent) => void | Promise<void>
  /** A task has ended as SUCCESS. */
  onSuccess?: (event: AttemptEvent) => void | Promise<void>
}

export const HOOK_NAMES = ['onAttemptError', 'onFailure', 'onSuccess'] as const satisfies (keyof Hooks)[]
