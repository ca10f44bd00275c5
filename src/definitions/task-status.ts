// The life of a task: its statuses, and the pure decisions about what an ended attempt means.

/** One vocabulary for rows, API, page, logs and metrics; the first five are Celery's. */
export const TASK_STATUSES = ['PENDING', 'STARTED', 'RETRY', 'SUCCESS', 'FAILURE', 'CANCELLED'] as const
export type TaskStatus = (typeof TASK_STATUSES)[number]

/** Waiting for a worker: may be claimed. */
export const WAITING_STATUSES = ['PENDING', 'RETRY'] as const satisfies readonly TaskStatus[]
/** Nothing changes any more, unless somebody asks for a retry. */
export const FINAL_STATUSES = ['SUCCESS', 'FAILURE', 'CANCELLED'] as const satisfies readonly TaskStatus[]

export function isFinal(status: TaskStatus): boolean {
  return (FINAL_STATUSES as readonly TaskStatus[]).includes(status)
}

/** What went wrong, as it is stored and shown. */
export interface TaskError {
  name: string
  message: string
  /** Whether another attempt could have helped; false where the task said that it is useless. */
  retryable: boolean
}

/**
 * How an attempt ended. `released`: by us, before its end (a shutdown), which is nobody's fault. `leastDelayMs`: the
 * task knows that an earlier attempt is useless.
 */
export type Outcome =
  | { kind: 'succeeded'; result: unknown }
  | { kind: 'failed'; error: TaskError; leastDelayMs?: number }
  | { kind: 'cancelled' }
  | { kind: 'released' }

/** What the row becomes. */
export interface Decision {
  status: Exclude<TaskStatus, 'STARTED'>
  result?: unknown
  error?: TaskError
  failures: number
  /** Milliseconds from now until the next attempt may start; only with PENDING and RETRY. */
  delayMs?: number
}

/** Growth of the pauses between attempts, in milliseconds. */
export interface Backoff {
  baseMs: number
  capMs: number
}

/**
 * What an ended attempt means for its task. Pure: chance comes in as `random` (0 up to 1).
 * A thrown error or a lost worker uses the budget of `maxRetries`; a shutdown does not.
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
  const delayMs = Math.max(retryDelayMs(task.backoff, failures, random), outcome.leastDelayMs ?? 0)
  return { status: 'RETRY', error, failures, delayMs }
}

/**
 * The pause before the next attempt: capped exponential with jitter over the whole step, that is, anywhere between
 * the last ceiling and this one. So pauses always grow, and tasks that failed together do not come back together.
 * (Jitter from zero, as in "Exponential Backoff And Jitter", AWS Architecture Blog, spreads as well but lets a
 * third pause be shorter than the first.)
 */
export function retryDelayMs({ baseMs, capMs }: Backoff, failures: number, random: number): number {
  const ceiling = Math.min(capMs, baseMs * 2 ** (failures - 1))
  const floor = failures === 1 ? 0 : ceiling / 2
  return Math.round(floor + random * (ceiling - floor))
}
