// Replays tasks: submits them again under a new id.
import { type ErrorCode, isAppError } from '../base/errors.ts'
import type { Priority } from '../definitions/limits.ts'
import type { TaskRow } from '../store/schema.ts'
import type { AcceptedTask } from './insert-once.ts'
import type { Submissions, SubmitOptions } from './submit.ts'
import { unknownTask } from './unknown-task.ts'

export interface Replay {
  /**
   * Submits a task again under a new id, with its own input or with `edited.input`. Queue, isolation, limits,
   * tags, priority and callback URL are those of the original unless `options` contain others. A task of an internal
   * definition (a callback) can only be replayed with its own input.
   * @throws AppError like `submit`, and `unknown_task`
   */
  replay(id: string, edited: { input?: unknown }, options?: SubmitOptions): Promise<AcceptedTask>
  /**
   * Replays many tasks. Skips unknown tasks, and tasks whose definition no longer exists or no longer accepts
   * their input. A replay that meets a unique task creates none and is not counted.
   * @param optionsOf called with the id of each original task; returns the options of its replay
   * @returns the number of submitted tasks
   * @throws AppError if one task cannot be submitted for any other reason; others may have been submitted
   */
  replayMany(ids: string[], optionsOf: (id: string) => SubmitOptions): Promise<number>
}

// Number and size of the tasks that are replayed at the same time. The size limits the use of memory: inputs
// may be as large as a request body, and results 1 MiB. A larger task is replayed alone.
const MAX_BATCH = 100
const MAX_BATCH_BYTES = 8 * 1024 * 1024
// Error codes for which a bulk replay skips a task, because trying again cannot help: the task or its
// definition no longer exists, or the definition no longer accepts the input.
const NOT_REPLAYABLE: ErrorCode[] = ['unknown_task', 'unknown_definition', 'invalid_input']

export function createReplay({
  find,
  findBytes,
  submit,
  resubmit,
}: {
  find: (id: string) => Promise<TaskRow | undefined>
  findBytes: (ids: string[]) => Promise<Map<string, number>>
} & Submissions): Replay {
  return {
    replay,
    async replayMany(ids, optionsOf) {
      let count = 0
      for (const batch of batchesOf(ids, await findBytes(ids))) {
        const outcomes = await Promise.allSettled(batch.map((id) => replay(id, {}, optionsOf(id))))
        const reasons = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
        const serious = reasons.find((reason) => !NOT_REPLAYABLE.some((code) => isAppError(reason, code)))
        if (serious) throw serious
        count += outcomes.filter(
          (outcome) => outcome.status === 'fulfilled' && !outcome.value.isExisting,
        ).length
      }
      return count
    },
  }

  async function replay(id: string, edited: { input?: unknown }, options: SubmitOptions = {}) {
    const row = await find(id)
    if (!row) throw unknownTask(id)
    const { name, queue, isIsolated, maxRetries, timeoutMs, tags, callbackUrl } = row
    const priority: Priority = row.priority ?? 'normal'
    const kept = {
      queue,
      isIsolated,
      maxRetries,
      timeoutMs,
      tags,
      priority,
      callbackUrl: callbackUrl ?? undefined,
    }
    const all = { ...kept, ...options, replayedFrom: row.id }
    if ('input' in edited) return submit(name, edited.input, all, ['input'])
    return resubmit(name, row.input, all, ['input'])
  }
}

function batchesOf(ids: string[], bytesById: Map<string, number>): string[][] {
  const batches: string[][] = []
  let batch: string[] = []
  let batchBytes = 0
  for (const id of ids) {
    const bytes = bytesById.get(id) ?? 0
    if (batch.length === MAX_BATCH || batchBytes + bytes > MAX_BATCH_BYTES) {
      batches.push(batch)
      batch = []
      batchBytes = 0
    }
    batch.push(id)
    batchBytes += bytes
  }
  return [...batches, batch].filter(({ length }) => length > 0)
}
