// The statuses of a task, and the pure functions that decide its next status when an attempt ends.

/** All statuses, as used in rows, API, page, logs and metrics. The first five are Celery's. */
export const TASK_STATUSES = ['PENDING', 'STARTED', 'RETRY', 'SUCCESS', 'FAILURE', 'CANCELLED'] as const
export type TaskStatus = (typeof TASK_STATUSES)[number]

/** A task with one of these statuses waits for a worker and may be claimed when it is due. */
export const WAITING_STATUSES = ['PENDING', 'RETRY'] as const satisfies readonly TaskStatus[]
/** A task with one of these statuses has finished. It changes only if a client requests a retry. */
export const FINAL_STATUSES = ['SUCCESS', 'FAILURE', 'CANCELLED'] as const satisfies readonly TaskStatus[]

export function isFinal(status: TaskStatus): boolean {
  return (FINAL_STATUSES as readonly TaskStatus[]).includes(status)
}

/** The error of an attempt, as it is stored and shown. */
export interface TaskError {
  name: string
  message: string
  /** False if another attempt cannot succeed: after a `PermanentError`, or if the result cannot be stored. */
  retryable: boolean
}

/**
 * How an attempt ended. `released`: the worker ended it early, for example at its shutdown; this is no
 * failure. `minDelayMs`: the shortest delay before the next attempt, as given by a `RetryLaterError`.
 */
export type Outcome =
  | { kind: 'succeeded'; result: unknown }
  | { kind: 'failed'; error: TaskError; minDelayMs?: number }
  | { kind: 'cancelled' }
  | { kind: 'released' }

/** The new values of the task's row. */
export interface Decision {
  status: Exclude<TaskStatus, 'STARTED'>
  result?: unknown
  error?: TaskError
  failures: number
  /** Milliseconds from now until the next attempt may start; only with PENDING and RETRY. */
  delayMs?: number
}

/** The delays between attempts, in milliseconds: they grow exponentially from `baseMs` up to `capMs`. */
export interface Backoff {
  baseMs: number
  capMs: number
}

/**
 * Decides what becomes of a task when an attempt has ended. Pure: `random` (0 up to 1) is passed in.
 * A thrown error or a missing worker uses up a retry of `maxRetries`; a shutdown does not.
 */
export function decide(
  task: { failures: number; maxRetries: number; backoff: Backoff; isCancelRequested: boolean },
  outcome: Outcome,
  random: number,
): Decision {
  if (outcome.kind === 'succeeded') {
    return { status: 'SUCCESS', result: outcome.result, failures: task.failures }
  }
  if (outcome.kind === 'cancelled' || (outcome.kind === 'released' && task.isCancelRequested)) {
    return { status: 'CANCELLED', failures: task.failures }
  }
  if (outcome.kind === 'released') return { status: 'PENDING', failures: task.failures, delayMs: 0 }

  const failures = task.failures + 1
  const error = outcome.error
  if (task.isCancelRequested) return { status: 'CANCELLED', error, failures }
  if (!error.retryable || failures > task.maxRetries) return { status: 'FAILURE', error, failures }
  const delayMs = Math.max(retryDelayMs(task.backoff, failures, random), outcome.minDelayMs ?? 0)
  return { status: 'RETRY', error, failures, delayMs }
}

/**
 * Returns the delay before the next attempt: capped exponential backoff with jitter, a random value between
 * the previous ceiling and this one. So each delay is at least as long as the previous one until the cap is
 * reached, and tasks that failed together are not retried together. (Jitter from zero, as in "Exponential
 * Backoff And Jitter", AWS Architecture Blog, spreads them as well, but a third delay could be shorter than
 * the first.)
 */
export function retryDelayMs({ baseMs, capMs }: Backoff, failures: number, random: number): number {
  const ceiling = Math.min(capMs, baseMs * 2 ** (failures - 1))
  const floor = failures === 1 ? 0 : ceiling / 2
  return Math.round(floor + random * (ceiling - floor))
}
