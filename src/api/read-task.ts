// Reads one task for a request, waiting for its end where the caller wants to.
import { AppError } from '../errors.ts'
import type { TaskRow } from '../store/schema.ts'
import type { ApiDependencies } from './dependencies.ts'
import { isTaskId } from './task-requests.ts'

/**
 * @param waitMs how long to wait for the task's end, at most
 * @throws AppError `unknown_task`, also for what cannot be an id
 */
export async function readTask(
  { taskReader, watcher }: Pick<ApiDependencies, 'taskReader' | 'watcher'>,
  id: string,
  waitMs = 0,
  signal?: AbortSignal,
): Promise<TaskRow> {
  if (!isTaskId(id)) throw unknownTask(id)
  const deadlineMs = Date.now() + waitMs
  for (;;) {
    const leaving = new AbortController()
    const leftMs = deadlineMs - Date.now()
    const isWaiting = leftMs > 0 && !signal?.aborted
    const signals = signal ? AbortSignal.any([signal, leaving.signal]) : leaving.signal
    // Listening before looking: an end in between is not missed.
    const ended = isWaiting ? watcher.waitUntilEnded(id, leftMs, signals) : undefined
    try {
      const row = await taskReader.find(id)
      if (!row) throw unknownTask(id)
      if (row.finishedAt !== null || !ended) return row
      await ended
    } finally {
      leaving.abort()
    }
  }
}

function unknownTask(id: string): AppError {
  return new AppError('unknown_task', `There is no task ${id.slice(0, 64)}`)
}
