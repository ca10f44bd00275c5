// Creates one task per idempotency key. Repeated submissions with the same key get the first response again.
import { AppError } from '../base/errors.ts'
import type { NewTask, OnceTask } from '../store/new-tasks.ts'
import type { TaskRow } from '../store/schema.ts'

/**
 * An accepted task. `isReplayed` is set if an earlier submission with the same idempotency key created it.
 */
export type AcceptedTask = NewTask & { isReplayed?: true }

/**
 * Creates the function that submits tasks with an idempotency key.
 * @param insert resolves with null if it has inserted the task, otherwise with the existing row of its key
 * @returns a function that submits one task. It throws AppError `idempotency_key_reused` if the key was used
 *    with another body, and `idempotency_key_in_flight` while this process inserts the first task of the key
 */
export function createInsertOnce(insert: (task: OnceTask) => Promise<TaskRow | null>) {
  const fingerprintsInFlight = new Map<string, string>()

  return async (task: OnceTask): Promise<AcceptedTask> => {
    const { key, fingerprint } = task.idempotency
    const inFlight = fingerprintsInFlight.get(key)
    if (inFlight !== undefined) throw inFlight === fingerprint ? keyInFlight() : keyReused()
    fingerprintsInFlight.set(key, fingerprint)
    try {
      const row = await insert(task)
      if (row === null || isOf(row, task)) return task
      if (row.idempotencyFingerprint !== fingerprint) throw keyReused()
      return firstResponseOf(row)
    } finally {
      fingerprintsInFlight.delete(key)
    }
  }
}

/**
 * Checks whether the existing row of an idempotency key is the submitted task itself. This is the case if an
 * earlier try to insert the task was committed, but the response of Postgres was lost.
 */
export function isOf(row: TaskRow, task: OnceTask): boolean {
  return row.id === task.id
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
 * Rebuilds the task that the first submission with this idempotency key returned. Only `runAt` may differ,
 * because retries of the task change it.
 */
function firstResponseOf(row: TaskRow): AcceptedTask {
  return {
    id: row.id,
    name: row.name,
    queue: row.queue,
    input: row.input,
    maxRetries: row.maxRetries,
    timeoutMs: row.timeoutMs,
    tags: row.tags,
    createdAt: row.createdAt,
    runAt: row.runAt,
    requestId: row.requestId ?? undefined,
    traceparent: row.traceparent ?? undefined,
    callbackUrl: row.callbackUrl ?? undefined,
    replayedFrom: row.replayedFrom ?? undefined,
    isReplayed: true,
  }
}
