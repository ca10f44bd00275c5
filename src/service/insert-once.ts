// Creates one task per idempotency key. Repeated submissions with the same key get the first response again.
import { AppError } from '../base/errors.ts'
import { timeOfId } from '../base/uuidv7.ts'
import type { FirstSubmission, NewTask, OnceTask } from '../store/new-tasks.ts'
import type { TaskRow } from '../store/schema.ts'

/** An accepted task. */
export interface AcceptedTask extends NewTask {
  /** Set if this is the response to an earlier submission with the same idempotency key. */
  isReplayed?: true
  /** Set if the submission has met a unique task, whose id this is, and created none. */
  isExisting?: true
  /** The row of the task that was met; undefined if it was removed since then. */
  row?: TaskRow
}

/** What has become of a submission with an idempotency key. */
export interface OnceOutcome {
  /** The first submission with the key; null if this one is the first. */
  first: FirstSubmission | null
  /** The accepted task, if this submission is the first. */
  accepted: AcceptedTask
}

/**
 * Creates the function that submits tasks with an idempotency key.
 * @param find reads the row of a task
 * @returns a function that submits one task. It throws AppError `idempotency_key_reused` if the key was used
 *    with another body, and `idempotency_key_in_flight` while this process inserts the first task of the key
 */
export function createInsertOnce(find: (id: string) => Promise<TaskRow | undefined>) {
  const fingerprintsInFlight = new Map<string, string>()

  return async (task: OnceTask, insert: (task: OnceTask) => Promise<OnceOutcome>): Promise<AcceptedTask> => {
    const { key, fingerprint } = task.idempotency
    const inFlight = fingerprintsInFlight.get(key)
    if (inFlight !== undefined) throw inFlight === fingerprint ? keyInFlight() : keyReused()
    fingerprintsInFlight.set(key, fingerprint)
    try {
      const { first, accepted } = await insert(task)
      if (first === null || isOf(first, task)) return accepted
      if (first.fingerprint !== fingerprint) throw keyReused()
      if (!first.isExisting) return firstResponseOf(first, task)
      const row = await find(first.taskId)
      return { ...firstResponseOf(first, task), isExisting: true, row }
    } finally {
      fingerprintsInFlight.delete(key)
    }
  }
}

/**
 * Checks whether the first submission of an idempotency key is this one. This is the case if an earlier try to
 * insert the task was committed, but the response of Postgres was lost.
 */
export function isOf(first: FirstSubmission, task: OnceTask): boolean {
  return first.taskId === task.id
}

function keyInFlight(): AppError {
  return new AppError(
    'idempotency_key_in_flight',
    'The first request with this Idempotency-Key is still being processed: try again in a second',
  )
}

function keyReused(): AppError {
  return new AppError('idempotency_key_reused', 'This Idempotency-Key was already used with another body')
}

/**
 * Rebuilds the task that the first submission with this idempotency key returned. Its row in `tasks` is not
 * needed: the repeated request has the same body, and so the same input and options. Defaults of the definition
 * that were changed in between appear with their new values.
 */
function firstResponseOf(first: FirstSubmission, repeated: OnceTask): AcceptedTask {
  const { idempotency: _, ...task } = repeated
  return {
    ...task,
    id: first.taskId,
    createdAt: new Date(timeOfId(first.taskId)),
    runAt: first.runAt ?? undefined,
    requestId: first.requestId ?? undefined,
    traceparent: first.traceparent ?? undefined,
    isReplayed: true,
  }
}
