// Once a second, one statement: presence up, progress up; cancellations, lost tasks and a drain down.
import { type Loop, startLoop } from '../base/loop.ts'
import type { Signals } from '../redis/signals.ts'
import type { WorkerInfo, WorkerStore } from '../store/worker-store.ts'
import type { Events } from '../telemetry/events.ts'
import type { RunningTasks } from './running-tasks.ts'

export interface Heartbeat {
  /** Resolves when others have lately seen us alive; beats at once where they have not. @throws when it cannot */
  ensureHeartbeat(): Promise<void>
  /** For how long, in milliseconds, this worker has been beating without a gap. */
  stableMs(): number
  /** Whether a round has begun within the silence limit, be it that Postgres has heard it or not. */
  isBeating(): boolean
  stop(): Promise<void>
}

export interface HeartbeatDependencies {
  worker: WorkerInfo
  store: WorkerStore
  signals: Signals
  running: RunningTasks
  counts: { processed: number; failed: number }
  /** Told with every beat whether somebody wants this worker to take no more tasks. */
  onDraining: (isDraining: boolean) => void
  events: Events
  intervalMs: number
  /** After this long without a beat, others take our tasks over. */
  missingAfterMs: number
}

// One connection that hangs must not stop the only heart: the next beat goes through another.
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
      // Half of the limit: a claim that takes its time is still a living worker's when it is written.
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
    for (const { id, attempt, isCancelRequested, isOurs } of news) {
      running.abort(id, isOurs && isCancelRequested ? 'cancelled' : 'lost', attempt)
    }
  }

  function isStable(): boolean {
    return Date.now() - lastBeatMs < missingAfterMs
  }
}
