// Deletes old finished tasks and old statistics. Every worker does this, and each skips tasks that another
// worker is deleting.
import { type Loop, pause, startLoop } from '../../base/loop.ts'
import type { ActivityStore } from '../../store/activity-store.ts'
import { LOWEST_ID, type RetentionStore } from '../../store/retention-store.ts'
import type { Events } from '../../telemetry/events.ts'

export interface RetentionDependencies {
  store: RetentionStore
  activityStore: ActivityStore
  events: Events
  /** How long a task is kept after its end, in milliseconds. Undefined keeps it forever. */
  keptMs?: number
  intervalMs: number
}

// Number of tasks that one statement scans. It is limited, so that the statement holds its row locks only for
// some tens of milliseconds.
const BATCH = 1_000
// How often the scan for old tasks starts again at the lowest id, in milliseconds. The new scan finds tasks
// that were still unfinished or locked when the last one passed them.
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

  /**
   * Deletes tasks that ended more than `olderThanMs` ago, in the order of ids. Continues at the id where the
   * last round stopped, so that old unfinished tasks are not scanned in every round.
   */
  async function pruneTasks(olderThanMs: number, stopping: AbortSignal) {
    if (performance.now() - scan.begunMs > RESTART_SCAN_MS)
      scan = { afterId: LOWEST_ID, begunMs: performance.now() }
    while (!stopping.aborted) {
      const beganMs = performance.now()
      const { lastId, isAtEnd } = await store.pruneTasks(scan.afterId, olderThanMs, BATCH)
      scan.afterId = lastId
      if (isAtEnd) return
      // Pauses as long as the last statement took, so that this worker deletes at most half of the time.
      await pause(performance.now() - beganMs, stopping)
    }
  }
}
