// Reads one task for a request, waiting for its end where the caller wants to.
import { AppError } from '../../base/errors.ts'
import { isUuid } from '../../base/uuidv7.ts'
import type { TaskSubscription } from '../../service/task-watcher.ts'
import type { TaskRow } from '../../store/schema.ts'
import type { ApiDependencies } from '../dependencies.ts'

type Sources = Pick<ApiDependencies, 'taskReader' | 'watcher'>

/** @throws AppError `unknown_task`, also for what cannot be an id */
export async function readTask({ taskReader }: Pick<Sources, 'taskReader'>, id: string): Promise<TaskRow> {
  const row = isUuid(id) ? await taskReader.find(id) : undefined
  if (!row) throw unknownTask(id)
  return row
}

/** Begins to watch a task. @throws AppError `unknown_task` for what cannot be an id */
export function watchTask({ watcher }: Pick<Sources, 'watcher'>, id: string): TaskSubscription {
  if (!isUuid(id)) throw unknownTask(id)
  return watcher.subscribe(id)
}

/**
 * The task as soon as it has ended, or as it was last seen when `waitMs` have passed or the caller has gone.
 * @throws AppError `unknown_task`
 */
export async function readTaskWhenEnded(
  sources: Sources,
  id: string,
  waitMs: number,
  signal: AbortSignal,
): Promise<TaskRow> {
  const deadlineMs = Date.now() + waitMs
  const subscription = watchTask(sources, id)
  try {
    let row = await readTask(sources, id)
    while (row.finishedAt === null) {
      const newer = await subscription.next(row.version, Math.max(0, deadlineMs - Date.now()), signal)
      if (!newer) return row
      row = newer
    }
    return row
  } finally {
    subscription.close()
  }
}

function unknownTask(id: string): AppError {
  return new AppError('unknown_task', `There is no task ${id.slice(0, 64)}`)
}
