// The heartbeat: one statement per second writes that the worker is alive and the progress of its tasks, and
// reads cancel requests, lost tasks and a drain request.
import { type Loop, startLoop } from '../base/loop.ts'
import type { Signals } from '../redis/signals.ts'
import type { WorkerInfo, WorkerStore } from '../store/worker-store.ts'
import type { Events } from '../telemetry/events.ts'
import type { RunningTasks } from './running-tasks.ts'

export interface Heartbeat {
  /** Resolves if the last heartbeat is recent; sends one otherwise. @throws when it fails */
  ensureHeartbeat(): Promise<void>
  /** How long heartbeats have been written without a gap, in milliseconds. */
  stableMs(): number
  /** Whether a round has started within `missingAfterMs`, whether it reached Postgres or not. */
  isBeating(): boolean
  stop(): Promise<void>
}

export interface HeartbeatDependencies {
  worker: WorkerInfo
  store: WorkerStore
  signals: Signals
  running: RunningTasks
  counts: { processed: number; failed: number }
  /** Called after every heartbeat with the drain request. */
  onDraining: (isDraining: boolean) => void
  events: Events
  intervalMs: number
  /** After this long without a heartbeat, other workers recover the tasks of this one. */
  missingAfterMs: number
}

// Short, because a hanging connection must not stop the heartbeat. The next one uses another connection.
const BEAT_TIMEOUT_MS = 5_000

export function startHeartbeat(dependencies: HeartbeatDependencies): Heartbeat {
  const { worker, store, signals, running, counts, onDraining, events, intervalMs, missingAfterMs } =
    dependencies
  let lastBeatMs = 0
  let stableSinceMs = 0
  let lastRoundMs = Date.now()
  const unlisten = signals.listen('cancel', (ids) => {
    for (const id of ids) running.abort(id, 'cancelled')
  })
  const loop: Loop = startLoop({
    intervalMs,
    body() {
      lastRoundMs = Date.now()
      return beat()
    },
    onError: (error) => events.emit('error.transient', { where: 'heartbeat', error }),
  })

  return {
    async ensureHeartbeat() {
      // Half of the limit, so that the worker does not become missing while a slow claim is written.
      if (Date.now() - lastBeatMs > missingAfterMs / 2) await beat()
    },
    isBeating: () => Date.now() - lastRoundMs < missingAfterMs,
    stableMs: () => (isStable() ? Date.now() - stableSinceMs : 0),
    async stop() {
      unlisten()
      await loop.stop()
    },
  }

  async function beat() {
    const beganMs = Date.now()
    const attempts = running.all()
    const carried = attempts.map(({ progress }) => progress)
    const { isDraining, news } = await store.beat({
      timeoutMs: Math.min(BEAT_TIMEOUT_MS, missingAfterMs / 3),
      worker,
      ...counts,
      running: attempts.map(({ task, progress }) => ({ id: task.id, attempt: task.attempt, progress })),
    })
    for (const [index, attempt] of attempts.entries()) {
      if (attempt.progress === carried[index]) attempt.progress = undefined
    }
    onDraining(isDraining)
    if (!isStable()) stableSinceMs = beganMs
    lastBeatMs = beganMs
    for (const { id, attempt, isCancelRequested, isCurrent } of news) {
      running.abort(id, isCurrent && isCancelRequested ? 'cancelled' : 'lost', attempt)
    }
  }

  function isStable(): boolean {
    return Date.now() - lastBeatMs < missingAfterMs
  }
}
