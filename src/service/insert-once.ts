// One task per idempotency key, however often it is submitted: the first makes it, the others get the first answer.
import { AppError } from '../base/errors.ts'
import type { NewTask, OnceTask } from '../store/new-tasks.ts'
import type { TaskRow } from '../store/schema.ts'

/** What was accepted; `isReplayed` where it had been accepted before, under the same idempotency key. */
export type AcceptedTask = NewTask & { isReplayed?: true }

/**
 * @param insert resolves with null when it has made this task, or else with the row that held its key before
 * @returns what submits one task. It throws AppError `idempotency_key_reused` for another body under the same key, and
 *   `idempotency_key_in_flight` while this process is writing the first
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
      return firstAnswerOf(row)
    } finally {
      fingerprintsInFlight.delete(key)
    }
  }
}

/** Made by an earlier try of the same call, whose answer was lost. */
export function isOf(row: TaskRow, task: OnceTask): boolean {
  return row.id === task.id
}

function keyInFlight(): AppError {
  return new AppError(
    'idempotency_key_in_flight',
    'The first request with this Idempotency-Key is under way: try again in a moment',
  )
}

function keyReused(): AppError {
  return new AppError('idempotency_key_reused', 'This Idempotency-Key has been used with another body')
}

/** The task as it was accepted, whatever has become of it since; only `runAt` has moved on with its retries. */
function firstAnswerOf(row: TaskRow): AcceptedTask {
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
