// The statuses of a task, and the pure functions that decide its next status when an attempt ends.

/** All statuses of a task. Rows, API, page, logs and metrics use these names. The first five are Celery's. */
export const TASK_STATUSES = ['PENDING', 'STARTED', 'RETRY', 'SUCCESS', 'FAILURE', 'CANCELLED'] as const
export type TaskStatus = (typeof TASK_STATUSES)[number]

/**
 * A task with one of these statuses has finished. SUCCESS never changes; FAILURE and CANCELLED change only if
 * a client requests a retry.
 */
export const FINAL_STATUSES = ['SUCCESS', 'FAILURE', 'CANCELLED'] as const satisfies readonly TaskStatus[]

export function isFinal(status: TaskStatus): boolean {
  return (FINAL_STATUSES as readonly TaskStatus[]).includes(status)
}

/** The error of a failed attempt, as it is stored in Postgres and shown to clients. */
export interface TaskError {
  name: string
  message: string
  /** False if no retry can help: after a `PermanentError`, or if the result cannot be stored. */
  retryable: boolean
  /** Stack of an error that was thrown outside of the promise of its attempt. */
  stack?: string
  /** Last lines that an isolated process has written to its standard error before it ended. */
  stderr?: string
}

/**
 * How an attempt ended. `resultText`: its result as JSON; undefined for a result that JSON omits. `released`:
 * the worker ended it early, for example at its shutdown, or the task has thrown a `SnoozeError`; neither counts
 * as a failure. `minDelayMs`: minimum delay before the next attempt, from a `RetryLaterError` or `SnoozeError`.
 */
export type Outcome =
  | { kind: 'succeeded'; resultText?: string }
  | { kind: 'failed'; error: TaskError; minDelayMs?: number }
  | { kind: 'cancelled'; error?: TaskError }
  | { kind: 'released'; minDelayMs?: number }

/** New values for the row of a task whose attempt has ended. */
export interface Decision {
  status: Exclude<TaskStatus, 'STARTED'>
  /** The result as JSON. */
  resultText?: string
  error?: TaskError
  failures: number
  /** Milliseconds from now until the next attempt may start; only set if the status is PENDING or RETRY. */
  delayMs?: number
}

/** Delays between the attempts of a task in milliseconds: they grow exponentially up to `capMs`. */
export interface Backoff {
  baseMs: number
  capMs: number
}

/**
 * Decides the new status of a task when an attempt has ended. A thrown error or a missing worker uses one of
 * the `maxRetries` retries; a shutdown uses none. Pure: `random` (0 to 1) determines the jitter of the delay.
 */
export function decide(
  task: { failures: number; maxRetries: number; backoff: Backoff; isCancelRequested: boolean },
  outcome: Outcome,
  random: number,
): Decision {
  if (outcome.kind === 'succeeded') {
    return { status: 'SUCCESS', resultText: outcome.resultText, failures: task.failures }
  }
  if (outcome.kind === 'cancelled' || (outcome.kind === 'released' && task.isCancelRequested)) {
    const error = outcome.kind === 'cancelled' ? outcome.error : undefined
    return { status: 'CANCELLED', error, failures: task.failures }
  }
  if (outcome.kind === 'released')
    return { status: 'PENDING', failures: task.failures, delayMs: outcome.minDelayMs ?? 0 }

  const failures = task.failures + 1
  const error = outcome.error
  if (task.isCancelRequested) return { status: 'CANCELLED', error, failures }
  if (!error.retryable || failures > task.maxRetries) return { status: 'FAILURE', error, failures }
  const delayMs = Math.max(retryDelayMs(task.backoff, failures, random), outcome.minDelayMs ?? 0)
  return { status: 'RETRY', error, failures, delayMs }
}

/**
 * Returns a random delay before the next attempt, in milliseconds, so that tasks that failed together are not
 * retried together. Its maximum doubles with each failure from `baseMs` to `capMs`. Its minimum is zero after
 * the first failure, then half of the maximum: until the cap is reached, no delay is shorter than the one
 * before, unlike with full jitter ("Exponential Backoff And Jitter", AWS Architecture Blog).
 */
export function retryDelayMs({ baseMs, capMs }: Backoff, failures: number, random: number): number {
  const ceiling = Math.min(capMs, baseMs * 2 ** (failures - 1))
  const floor = failures === 1 ? 0 : ceiling / 2
  return Math.round(floor + random * (ceiling - floor))
}
