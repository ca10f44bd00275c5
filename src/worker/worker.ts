// The worker: takes deliveries when a slot is free, claims, runs, and stops in order.
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { createGroupCommit } from '../base/group-commit.ts'
import { pause } from '../base/loop.ts'
import type { Connections } from '../connections.ts'
import type { Registry } from '../definitions/registry.ts'
import { decide, isFinal, type TaskStatus } from '../definitions/task-status.ts'
import type { ClaimedTask, Finish } from '../store/task-store.ts'
import type { Events } from '../telemetry/events.ts'
import { startCallbacks } from './callbacks.ts'
import { createClaimer } from './claimer.ts'
import { startConsumers } from './consumers.ts'
import { startDispatcher } from './dispatcher.ts'
import { startHeartbeat } from './heartbeat.ts'
import { startReconciler } from './reconciler.ts'
import { startRetention } from './retention.ts'
import { type AttemptEnd, createRunner } from './runner.ts'
import { createRunningTasks } from './running-tasks.ts'
import { createSlots } from './slots.ts'
import { startTaskLogs } from './task-logs.ts'

export interface WorkerOptions {
  queues: string[]
  concurrency: number
  version: string
  /** Without a heartbeat for this long a worker's tasks are given to others, in milliseconds. */
  missingAfterMs: number
  /** How long a task is kept after its end; undefined keeps it for ever. */
  keptMs?: number
  heartbeatMs?: number
  dispatchMs?: number
  reconcileMs?: number
  callbackMs?: number
  logMs?: number
  lostAfterMs?: number
  stuckMs?: number
  pruneMs?: number
}

export interface Worker {
  id: string
  /** Whether the heartbeat has lately had its turn, with success or without: a worker that has not is of no use. */
  isBeating(): boolean
  /**
   * Takes no more, waits up to `graceMs` for what runs, aborts the rest and puts it back without using its retry
   * budget. Resolves when all of that is written.
   */
  stop(graceMs: number): Promise<void>
}

type WorkerConnections = Pick<
  Connections,
  | 'taskStore'
  | 'dispatchStore'
  | 'callbackStore'
  | 'logStore'
  | 'workerStore'
  | 'retentionStore'
  | 'activityStore'
  | 'queue'
  | 'signals'
>

// Time for claims that are under way when we begin to stop.
const CLAIM_MS = 5_000
// Time for handlers to settle after the signal of a shutdown.
const SETTLE_MS = 1_000

export function startWorker(
  connections: WorkerConnections,
  registry: Registry,
  events: Events,
  options: WorkerOptions,
): Worker {
  const { taskStore, dispatchStore, callbackStore, logStore, workerStore, queue, signals } = connections
  const { queues, concurrency, version, missingAfterMs, heartbeatMs = 1_000 } = options
  // Two beats may be lost before a worker counts as silent.
  if (missingAfterMs < 3 * heartbeatMs)
    throw new Error(`missingAfterMs must be at least three heartbeats (${3 * heartbeatMs})`)
  const id = randomUUID()
  const stopping = new AbortController()
  const counts = { processed: 0, failed: 0 }
  const slots = createSlots(concurrency)
  const running = createRunningTasks()
  const finishes = createGroupCommit<Finish, TaskStatus | null>({
    name: 'results',
    write: taskStore.finishMany,
    onWritten: announceEnded,
  })
  const heartbeat = startHeartbeat({
    worker: { id, host: hostname(), pid: process.pid, version, queues, concurrency },
    store: workerStore,
    signals,
    running,
    counts,
    onDraining: slots.setDraining,
    events,
    intervalMs: heartbeatMs,
    missingAfterMs,
  })
  const dispatcher = startDispatcher({
    queues,
    queue,
    dispatchStore,
    events,
    intervalMs: options.dispatchMs ?? 1_000,
  })
  const callbacks = startCallbacks({
    store: callbackStore,
    registry,
    onCreated: () => dispatcher.wakeIn(0),
    events,
    intervalMs: options.callbackMs ?? 1_000,
  })
  const logs = startTaskLogs({
    workerId: id,
    store: logStore,
    events,
    intervalMs: options.logMs ?? 500,
  })
  const run = createRunner({
    workerId: id,
    registry,
    running,
    logs,
    finish: finishes.submit,
    onHandlerDone: () => slots.release(1),
    onFinished,
    events,
  })
  const claimer = createClaimer({
    workerId: id,
    queue,
    store: taskStore,
    slots,
    heartbeat,
    run,
    release,
    events,
    stopping: stopping.signal,
  })
  const consumers = startConsumers({
    queues,
    queue,
    slots,
    take: claimer.take,
    events,
    stuckMs: options.stuckMs ?? 30_000,
  })
  const reconciler = startReconciler({
    queues,
    workerId: id,
    queue,
    store: taskStore,
    dispatchStore,
    workerStore,
    registry,
    running,
    heartbeat,
    consumers,
    events,
    intervalMs: options.reconcileMs ?? 5_000,
    lostAfterMs: options.lostAfterMs ?? 5_000,
    missingAfterMs,
  })
  const retention = startRetention({
    store: connections.retentionStore,
    activityStore: connections.activityStore,
    events,
    keptMs: options.keptMs,
    intervalMs: options.pruneMs ?? 60_000,
  })
  events.emit('worker.started', { workerId: id, queues, concurrency, slots })

  return { id, isBeating: heartbeat.isBeating, stop }

  function onFinished({ status, delayMs, hasCallback }: AttemptEnd) {
    counts.processed++
    if (status === 'FAILURE') counts.failed++
    if (delayMs !== undefined) dispatcher.wakeIn(delayMs)
    if (hasCallback && isFinal(status)) callbacks.wake()
  }

  function announceEnded(finished: Finish[]) {
    events.emit('batch.written', { kind: 'results', size: finished.length })
    const ended = finished.filter(({ decision }) => isFinal(decision.status)).map((finish) => finish.id)
    if (ended.length > 0) signals.announce('ended', ended)
  }

  async function stop(graceMs: number): Promise<void> {
    events.emit('worker.stopping', { workerId: id, running: running.size })
    slots.close()
    stopping.abort()
    await Promise.all([dispatcher.stop(), reconciler.stop(), consumers.stop(), retention.stop()])
    await within(CLAIM_MS, claimer.settled())
    await within(graceMs, running.whenEmpty())
    const rest = running.all()
    for (const attempt of rest) attempt.abort('shutdown')
    // A handler that heeds its signal is put back by its own runner; for the others we write it here.
    await within(SETTLE_MS, running.whenEmpty())
    const unsettled = running.all()
    await Promise.all(unsettled.map(logs.finish))
    await release(unsettled.map(({ task }) => task))
    await Promise.all([heartbeat.stop(), callbacks.stop(), logs.stop()])
    await workerStore
      .remove(id)
      .catch((error) => events.emit('error.transient', { where: 'saying good-bye', error }))
    events.emit('worker.stopped', { workerId: id, release: rest.length })
  }

  async function within(ms: number, event: Promise<void>): Promise<void> {
    const done = new AbortController()
    await Promise.race([event, pause(ms, done.signal)])
    done.abort()
  }

  async function release(tasks: ClaimedTask[]): Promise<void> {
    if (tasks.length === 0) return
    const policy = { backoff: { baseMs: 0, capMs: 0 }, isCancelRequested: false }
    const finishes = tasks.map((task) => ({
      id: task.id,
      attempt: task.attempt,
      workerId: id,
      decision: decide({ ...task, ...policy }, { kind: 'released' }, 0),
    }))
    await taskStore
      .finishMany(finishes)
      .catch((error) => events.emit('error.transient', { where: 'putting tasks back', error }))
  }
}
