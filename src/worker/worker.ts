// A worker: fetches deliveries while it has free slots, claims and runs tasks, and stops in order.
import { pause } from '../base/loop.ts'
import type { Registry } from '../definitions/registry.ts'
import type { Events } from '../telemetry/events.ts'
import type { StrayErrorHandler } from './attempts/stray-errors.ts'
import type { EndedAttempt } from './hooks.ts'
import { startParts, type WorkerConnections } from './parts.ts'
import type { WorkerOptions } from './worker-options.ts'

export interface Worker {
  id: string
  /**
   * Returns whether a heartbeat was started within `missingAfterMs`, even if it did not reach Postgres. If it
   * was not, the process is stuck.
   */
  isBeating(): boolean
  /**
   * Resolves with the reason if the worker cannot go on. It then claims no more tasks; the process should
   * call `stop` and exit with 1.
   */
  failed: Promise<string>
  /**
   * Starts the next round of the loops for due tasks, schedules, callbacks, abandoned tasks and retention
   * now. Tests call it when they have moved the clock.
   */
  wake(): void
  /** Calls the hooks of the project for attempts that a crashed worker process ran, and that were put back. */
  reportCrashes(attempts: readonly EndedAttempt[]): void
  /** Returns whether the calling code belongs to an attempt of this worker. */
  isInAttempt(): boolean
  /** Handles an error of this process that no code has handled, see `catchStrayErrors`. */
  handleStrayError: StrayErrorHandler
  /**
   * Stops claiming and waits up to `graceMs` milliseconds for running tasks to end. Then aborts those that
   * still run, and releases them without using their retry budget. Resolves when their release is written or
   * has failed: with false if tasks may still be STARTED by this worker, because Postgres did not answer.
   */
  stop(graceMs: number): Promise<boolean>
}

// How long a stopping worker waits for claims that it has already sent, in milliseconds.
const CLAIM_MS = 5_000
// How long a stopping worker waits for the rounds of its loops that are under way, in milliseconds.
const LOOPS_MS = 5_000
// How long a stopping worker waits for handlers to return after it has aborted them, in milliseconds.
const ABORT_MS = 1_000
// How long a stopping worker waits for the end of killed processes, in milliseconds. The kernel ends a
// process late while it waits for a broken disk or network drive.
const KILL_MS = 2_000
// How long a stopping worker waits for the hooks of the project, in milliseconds.
const HOOKS_MS = 2_000

export function startWorker(
  connections: WorkerConnections,
  registry: Registry,
  events: Events,
  options: WorkerOptions,
): Worker {
  const parts = startParts(connections, registry, events, options)
  const { id, slots, isolatedSlots, running, heartbeat } = parts
  const { queues, concurrency } = options
  events.emit('worker.started', { workerId: id, queues, concurrency, slots, isolatedSlots })
  const { failed, handleStrayError } = parts
  const isInAttempt = () => parts.scope.getStore() !== undefined
  return {
    id,
    isBeating: heartbeat.isBeating,
    failed,
    wake,
    isInAttempt,
    reportCrashes,
    handleStrayError,
    stop,
  }

  function reportCrashes(attempts: readonly EndedAttempt[]) {
    for (const attempt of attempts) parts.hooks?.attemptEnded(attempt)
  }

  function wake() {
    parts.dispatcher.wakeIn(0)
    const { held, scheduler, callbacks, reconciler, retention } = parts
    for (const loop of [held, scheduler, callbacks, reconciler, retention]) loop.wake()
  }

  async function stop(graceMs: number): Promise<boolean> {
    events.emit('worker.stopping', { workerId: id, running: running.size })
    const haveClaimsEnded = await stopClaiming()
    await within(graceMs, running.whenEmpty())
    const aborted = running.all()
    await abortAndRelease()
    await within(KILL_MS, parts.isolated?.stop())
    await Promise.all([
      heartbeat.stop(),
      parts.callbacks.stop(),
      parts.logs.stop(),
      within(HOOKS_MS, parts.hooks?.whenIdle()),
    ])
    await parts.watchdog.stop()
    await connections.workerStore
      .remove(id)
      .catch((error) => events.emit('error.transient', { where: 'removing the worker', error }))
    events.emit('worker.stopped', { workerId: id, released: aborted.length })
    return haveClaimsEnded && parts.hasReleasedAll()
  }

  /** @returns whether all claims that were sent have been answered */
  async function stopClaiming(): Promise<boolean> {
    slots.close()
    isolatedSlots.close()
    parts.stopping.abort()
    const { dispatcher, held, reconciler, consumers, claimers, retention, scheduler } = parts
    await Promise.all(consumers.map((each) => each.stop()))
    const claimsEnded = Promise.all([held.stop(), ...claimers.map((each) => each.whenIdle())])
    const haveClaimsEnded = await within(CLAIM_MS, claimsEnded)
    // A statement of a loop can take half a minute, and a supervisor kills the process after a fixed time.
    const loops = Promise.all([dispatcher.stop(), reconciler.stop(), retention.stop(), scheduler.stop()])
    await within(LOOPS_MS, loops)
    return haveClaimsEnded
  }

  async function abortAndRelease(): Promise<void> {
    for (const attempt of running.all()) attempt.abort('shutdown')
    // If a handler returns within `ABORT_MS`, the runner releases the task when it writes the end of the
    // attempt. The tasks of all other handlers are released here.
    await within(ABORT_MS, running.whenEmpty())
    // Kills the handlers in isolated processes. Then their attempts end, too.
    await within(KILL_MS, parts.isolated?.stop())
    await within(ABORT_MS, running.whenEmpty())
    const stillRunning = running.all()
    for (const { graceTimer } of stillRunning) graceTimer?.clear()
    await Promise.all(stillRunning.map(parts.logs.finish))
    await parts.release(stillRunning.map(({ task }) => task))
  }
}

/** Waits for an event, at most `ms` milliseconds. @returns whether it has occurred */
async function within(ms: number, event: Promise<unknown> | undefined): Promise<boolean> {
  const done = new AbortController()
  const hasOccurred = await Promise.race([
    Promise.resolve(event).then(() => true),
    pause(ms, done.signal).then(() => false),
  ])
  done.abort()
  return hasOccurred
}
