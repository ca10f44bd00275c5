// Reads one task for a request, and waits until the task has ended if the client asks for that.
import { isUuid } from '../../base/uuidv7.ts'
import type { TaskSubscription } from '../../service/task-watcher.ts'
import { unknownTask } from '../../service/unknown-task.ts'
import type { TaskRow } from '../../store/schema.ts'
import type { ApiDependencies } from '../dependencies.ts'

type Sources = Pick<ApiDependencies, 'taskReader' | 'watcher'>

/** Reads the row of a task. @throws AppError `unknown_task`, also if the id is not a UUID */
export async function readTask({ taskReader }: Pick<Sources, 'taskReader'>, id: string): Promise<TaskRow> {
  const row = isUuid(id) ? await taskReader.find(id) : undefined
  if (!row) throw unknownTask(id)
  return row
}

/** Subscribes to changes of a task. @throws AppError `unknown_task` if the id is not a UUID */
export function watchTask({ watcher }: Pick<Sources, 'watcher'>, id: string): TaskSubscription {
  if (!isUuid(id)) throw unknownTask(id)
  return watcher.subscribe(id)
}

/**
 * Resolves with the task when it has ended. Resolves with the last state that was read when `waitMs`
 * milliseconds have passed, the AbortSignal aborts (the client disconnected), or the API stops.
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
