// Lets go of what is old: tasks that ended long ago, and statistics that nobody looks at so closely any more. Any worker
// may; two at once delete different rows.
import { type Loop, pause, startLoop } from '../base/loop.ts'
import type { ActivityStore } from '../store/activity-store.ts'
import { BEFORE_ALL, type RetentionStore } from '../store/retention-store.ts'
import type { Events } from '../telemetry/events.ts'

export interface RetentionDependencies {
  store: RetentionStore
  activityStore: ActivityStore
  events: Events
  /** How long a task is kept after its end; undefined keeps it for ever. */
  keptMs?: number
  intervalMs: number
}

// Rows that are locked for some tens of milliseconds only.
const BATCH = 1_000
// What ended late, or was in somebody's hand, is met by the next walk from the beginning.
const WALK_ANEW_MS = 3_600_000

export function startRetention({
  store,
  activityStore,
  events,
  keptMs,
  intervalMs,
}: RetentionDependencies): Loop {
  let walk = { afterId: BEFORE_ALL, begunMs: performance.now() }
  return startLoop({
    intervalMs,
    async body(stopping) {
      await activityStore.prune()
      if (keptMs !== undefined) await pruneTasks(keptMs, stopping)
    },
    onError: (error) => events.emit('error.transient', { where: 'retention', error }),
  })

  /** Goes on where the last round has stopped: what is old and unfinished is not looked at over and over. */
  async function pruneTasks(olderThanMs: number, stopping: AbortSignal) {
    if (performance.now() - walk.begunMs > WALK_ANEW_MS)
      walk = { afterId: BEFORE_ALL, begunMs: performance.now() }
    while (!stopping.aborted) {
      const beganMs = performance.now()
      const { lastId, isAtEnd } = await store.pruneTasks(walk.afterId, olderThanMs, BATCH)
      walk.afterId = lastId
      if (isAtEnd) return
      // Half of the time for the others.
      await pause(performance.now() - beganMs, stopping)
    }
  }
}
