// Deletes old finished tasks and statistics. Every worker does this; concurrent ones delete different rows.
import { type Loop, pause, startLoop } from '../base/loop.ts'
import type { ActivityStore } from '../store/activity-store.ts'
import { LOWEST_ID, type RetentionStore } from '../store/retention-store.ts'
import type { Events } from '../telemetry/events.ts'

export interface RetentionDependencies {
  store: RetentionStore
  activityStore: ActivityStore
  events: Events
  /** How long a task is kept after its end, in milliseconds. Undefined keeps it forever. */
  keptMs?: number
  intervalMs: number
}

// Rows per statement, so that locks are held for some tens of milliseconds.
const BATCH = 1_000
// A new scan starts after this time. It finds tasks that the last one met unfinished or locked.
const RESTART_SCAN_MS = 3_600_000

export function startRetention({
  store,
  activityStore,
  events,
  keptMs,
  intervalMs,
}: RetentionDependencies): Loop {
  let scan = { afterId: LOWEST_ID, begunMs: performance.now() }
  return startLoop({
    intervalMs,
    async body(stopping) {
      await activityStore.prune()
      if (keptMs !== undefined) await pruneTasks(keptMs, stopping)
    },
    onError: (error) => events.emit('error.transient', { where: 'retention', error }),
  })

  /** Continues where the last round stopped, so that old unfinished tasks are not scanned in every round. */
  async function pruneTasks(olderThanMs: number, stopping: AbortSignal) {
    if (performance.now() - scan.begunMs > RESTART_SCAN_MS)
      scan = { afterId: LOWEST_ID, begunMs: performance.now() }
    while (!stopping.aborted) {
      const beganMs = performance.now()
      const { lastId, isAtEnd } = await store.pruneTasks(scan.afterId, olderThanMs, BATCH)
      scan.afterId = lastId
      if (isAtEnd) return
      // Pauses as long as the statement took, so that pruning uses at most half of the time.
      await pause(performance.now() - beganMs, stopping)
    }
  }
}
