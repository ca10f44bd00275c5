// The heartbeat of a worker: one statement per second writes that the worker is alive, and the progress of
// its tasks. The same statement reads cancel requests, a drain request, and which attempts that run in this
// worker are no longer the current ones of their tasks.
import { unmovedNow } from '../base/clock.ts'
import { type Loop, startLoop } from '../base/loop.ts'
import type { Signals } from '../redis/signals.ts'
import type { WorkerInfo, WorkerStore } from '../store/worker-store.ts'
import type { Events } from '../telemetry/events.ts'
import type { RunningTasks } from './attempts/running-tasks.ts'

export interface Heartbeat {
  /** Sends a heartbeat if the last one is older than half of `missingAfterMs`. @throws if it fails */
  ensureHeartbeat(): Promise<void>
  /** Returns for how many milliseconds heartbeats have been written without a gap of `missingAfterMs`. */
  stableMs(): number
  /**
   * Returns whether a round of heartbeats was started within `missingAfterMs`, even if it did not reach
   * Postgres, or the watchdog has written a heartbeat since then. An outage of Postgres must not make a probe
   * restart the worker.
   */
  isBeating(): boolean
  stop(): Promise<void>
}

export interface HeartbeatDependencies {
  worker: WorkerInfo
  store: WorkerStore
  signals: Signals
  running: RunningTasks
  slots: { readonly leaked: number }
  counts: { processed: number; failed: number }
  /**
   * Returns when another thread has written the last heartbeat of this worker, by `Date.now()`: it does so
   * while the event loop is blocked.
   */
  lastBlockedBeatMs: () => number
  /** Called after every heartbeat. `isDraining`: an operator has asked this worker to claim no more tasks. */
  onDraining: (isDraining: boolean) => void
  events: Events
  /** Called before the first heartbeat, and so before the first claim; again if it fails. */
  prepare: () => Promise<void>
  intervalMs: number
  /** After this many milliseconds without a heartbeat, other workers recover the tasks of this worker. */
  missingAfterMs: number
}

// Time limit of the heartbeat statement. It is short, so that a hanging connection cannot stop the heartbeat:
// the next statement uses another connection.
const BEAT_TIMEOUT_MS = 5_000

export function startHeartbeat(dependencies: HeartbeatDependencies): Heartbeat {
  const { worker, store, signals, running, slots, counts, onDraining, events, intervalMs, missingAfterMs } =
    dependencies
  const { prepare, lastBlockedBeatMs } = dependencies
  let lastBeatMs = 0
  let stableSinceMs = 0
  let lastRoundMs = unmovedNow()
  let underWay: Promise<void> | undefined
  let isPrepared = false
  const unlisten = signals.listen('cancel', (ids) => {
    for (const id of ids) running.abort(id, 'cancelled')
  })
  const loop: Loop = startLoop({
    intervalMs,
    body() {
      lastRoundMs = unmovedNow()
      return beat()
    },
    onError: (error) => events.emit('error.transient', { where: 'heartbeat', error }),
  })

  return {
    async ensureHeartbeat() {
      // Called before each claim: sends a heartbeat if the last one is older than half of `missingAfterMs`,
      // so that the worker does not become missing while Postgres executes a slow claim.
      if (unmovedNow() - lastBeatMs > missingAfterMs / 2) await beat()
    },
    isBeating: () => unmovedNow() - Math.max(lastRoundMs, lastBlockedBeatMs()) < missingAfterMs,
    stableMs: () => (isStable() ? unmovedNow() - stableSinceMs : 0),
    async stop() {
      unlisten()
      await loop.stop()
    },
  }

  /**
   * Sends a heartbeat, or waits for the one that is under way. There is only one at a time: if a second one
   * overtook the first, the first would overwrite newer progress.
   */
  function beat(): Promise<void> {
    underWay ??= sendBeat().finally(() => {
      underWay = undefined
    })
    return underWay
  }

  async function sendBeat() {
    if (!isPrepared) await prepare()
    isPrepared = true
    const beganMs = unmovedNow()
    const attempts = running.all()
    const carried = attempts.map(({ progress }) => progress)
    const { isDraining, news } = await store.beat({
      timeoutMs: Math.min(BEAT_TIMEOUT_MS, missingAfterMs / 3),
      worker,
      ...counts,
      leaked: slots.leaked,
      running: attempts.map(({ task, progress }) => ({ id: task.id, attempt: task.attempt, progress })),
    })
    // Clears only progress that this heartbeat has written. If a handler reported new progress meanwhile, the
    // next heartbeat writes it.
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

  // Heartbeats that were written during a block do not count. Right after a long block, the response to a
  // claim can be unread, and the reconciler would find that this worker does not run the claimed tasks.
  function isStable(): boolean {
    return unmovedNow() - lastBeatMs < missingAfterMs
  }
}
