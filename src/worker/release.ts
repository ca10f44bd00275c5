// Releases claimed tasks: STARTED becomes PENDING, without using the retry budget. A stopping worker does
// this with tasks that it has not finished.
import { decide } from '../definitions/task-status.ts'
import type { ClaimedTask } from '../store/claim.ts'
import type { TaskStore } from '../store/task-store.ts'
import type { Events } from '../telemetry/events.ts'

export interface ReleaseDependencies {
  workerId: string
  store: TaskStore
  events: Events
}

/**
 * @returns a function that releases tasks. It never rejects, and resolves with false if Postgres did not
 * confirm the release: then the supervisor of this process, or the reconciler of another worker, recovers the
 * tasks
 */
export function createRelease({ workerId, store, events }: ReleaseDependencies) {
  return async (tasks: ClaimedTask[]): Promise<boolean> => {
    if (tasks.length === 0) return true
    try {
      await store.finishMany(tasks.map(finishOf))
      return true
    } catch (error) {
      events.emit('error.transient', { where: 'releasing tasks', error })
      return false
    }
  }

  function finishOf(task: ClaimedTask) {
    const policy = { backoff: { baseMs: 0, capMs: 0 }, isCancelRequested: false }
    const decision = decide({ ...task, ...policy }, { kind: 'released' }, 0)
    return { id: task.id, attempt: task.attempt, workerId, decision, isHeld: task.isHeld }
  }
}
