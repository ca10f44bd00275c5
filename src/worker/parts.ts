// Starts the parts of a worker (heartbeat, dispatcher, claimer, reconciler and others) and connects them.
import { AsyncLocalStorage } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { createGroupCommit } from '../base/group-commit.ts'
import type { Connections } from '../connections.ts'
import type { Registry } from '../definitions/registry.ts'
import { isFinal, type TaskStatus } from '../definitions/task-status.ts'
import type { Finish } from '../store/finish.ts'
import type { Events } from '../telemetry/events.ts'
import { type AttemptEnd, announced, createRunner } from './attempts/runner.ts'
import { type AttemptKey, createRunningTasks, type RunningTask } from './attempts/running-tasks.ts'
import { createSlots } from './attempts/slots.ts'
import { createStrayErrorHandler } from './attempts/stray-errors.ts'
import { startTaskLogs } from './attempts/task-logs.ts'
import { createUnwrittenResults } from './attempts/unwritten-results.ts'
import { createClaimer } from './claimer.ts'
import { startConsumers } from './consumers.ts'
import { startHeartbeat } from './heartbeat.ts'
import { startCallbacks } from './loops/callbacks.ts'
import { startDispatcher } from './loops/dispatcher.ts'
import { startReconciler } from './loops/reconciler.ts'
import { startRetention } from './loops/retention.ts'
import { createRelease } from './release.ts'
import { startWatchdog } from './watchdog/watchdog.ts'
import { createWorkerFailure } from './worker-failure.ts'

export interface WorkerOptions extends Partial<Intervals> {
  queues: string[]
  concurrency: number
  version: string
  /** After this many milliseconds without a heartbeat, a worker is missing, and others recover its tasks. */
  missingAfterMs: number
  /** `role` of this process in its log lines; `worker` by default. */
  role?: string
  /** Process id of the supervisor that has started this process. If it has ended, this process is killed. */
  parentPid?: number
  /** How long a task is kept after its end, in milliseconds. Undefined keeps it forever. */
  keptMs?: number
}

// Default intervals and time limits of the parts of a worker, in milliseconds. Tests pass shorter ones.
const DEFAULTS = {
  heartbeatMs: 1_000,
  dispatchMs: 1_000,
  // Shorter than `lostAfterMs`, so that a lost delivery is found within 10 s.
  reconcileMs: 4_000,
  callbackMs: 1_000,
  logMs: 500,
  pruneMs: 60_000,
  // A waiting task has lost its delivery if it was enqueued this long before the oldest delivery in Redis.
  lostAfterMs: 5_000,
  // How long a claim is repeated while Postgres does not answer. Then its references return to the queue, because
  // other workers may reach Postgres.
  claimLimitMs: 10_000,
  // The consumer of a queue is stuck, and is replaced, if it fetches nothing for this long although a
  // delivery waits in Redis and the worker has a free slot.
  stuckMs: 30_000,
  // How long a handler may run after its abort: about the usual timeout of a request to another service. Then
  // the attempt ends without the handler.
  abortGraceMs: 30_000,
  // How long an attempt may block the event loop beyond its timeout: a handler that checks its AbortSignal
  // every few seconds can still return. Then the process is killed.
  blockGraceMs: 5_000,
}

type Intervals = typeof DEFAULTS

// Maximum size of the results in one statement, in characters of JSON. The driver holds three more copies
// while it sends them.
const MAX_BATCH_BYTES = 4 * 1_024 * 1_024

export type WorkerConnections = Pick<
  Connections,
  | 'databaseUrl'
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

export type WorkerParts = ReturnType<typeof startParts>

export function startParts(
  connections: WorkerConnections,
  registry: Registry,
  events: Events,
  options: WorkerOptions,
) {
  const { taskStore, dispatchStore, workerStore, queue, signals } = connections
  const { queues, concurrency, version, missingAfterMs } = options
  const intervals = { ...DEFAULTS, ...options }
  checkIntervals(missingAfterMs, intervals)
  const id = randomUUID()
  const stopping = new AbortController()
  const counts = { processed: 0, failed: 0 }
  const slots = createSlots(concurrency)
  const scope = new AsyncLocalStorage<AttemptKey>()
  const running = createRunningTasks({ scope, onAborted: (attempt) => runner.endAfterGrace(attempt) })
  const failure = createWorkerFailure({ workerId: id, slots, running, events })
  const release = createRelease({ workerId: id, store: taskStore, events })
  const watchdog = startWatchdog({
    workerId: id,
    databaseUrl: connections.databaseUrl,
    role: options.role ?? 'worker',
    scope,
    running,
    events,
    missingAfterMs,
    blockGraceMs: intervals.blockGraceMs,
    parentPid: options.parentPid,
  })

  const heartbeat = startHeartbeat({
    worker: { id, host: hostname(), pid: process.pid, version, queues, concurrency },
    store: workerStore,
    signals,
    running,
    slots,
    counts,
    lastBlockedBeatMs: watchdog.lastBeatAtMs,
    onDraining: slots.setDraining,
    events,
    intervalMs: intervals.heartbeatMs,
    missingAfterMs,
  })
  const dispatcher = startDispatcher({
    queues,
    queue,
    dispatchStore,
    events,
    intervalMs: intervals.dispatchMs,
  })
  const callbacks = startCallbacks({
    store: connections.callbackStore,
    registry,
    onCreated: () => dispatcher.wakeIn(0),
    events,
    intervalMs: intervals.callbackMs,
  })
  const logs = startTaskLogs({
    workerId: id,
    store: connections.logStore,
    events,
    intervalMs: intervals.logMs,
  })
  const results = createGroupCommit<Finish, TaskStatus | null>({
    name: 'results',
    write: taskStore.finishMany,
    onWritten: publishEnds,
    maxBatchBytes: MAX_BATCH_BYTES,
    // The results that wait are limited by the slots (unwritten-results.ts).
    maxWaitingBytes: Number.POSITIVE_INFINITY,
    sizeOf: ({ decision }) => decision.resultText?.length ?? 0,
  })
  const runner = createRunner({
    workerId: id,
    registry,
    running,
    scope,
    slots,
    logs,
    unwritten: createUnwrittenResults(),
    watchdog,
    finish: results.add,
    onFinished,
    onLeaked,
    events,
    abortGraceMs: intervals.abortGraceMs,
  })
  const claimer = createClaimer({
    workerId: id,
    queue,
    store: taskStore,
    slots,
    heartbeat,
    run: runner.run,
    release,
    onReleased: () => dispatcher.wakeIn(0),
    events,
    stopping: stopping.signal,
    claimLimitMs: intervals.claimLimitMs,
  })
  const consumers = startConsumers({
    queues,
    queue,
    slots,
    handle: claimer.handle,
    events,
    stuckMs: intervals.stuckMs,
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
    dispatcher,
    events,
    intervalMs: intervals.reconcileMs,
    lostAfterMs: intervals.lostAfterMs,
    missingAfterMs,
  })
  const retention = startRetention({
    store: connections.retentionStore,
    activityStore: connections.activityStore,
    events,
    keptMs: options.keptMs,
    intervalMs: intervals.pruneMs,
  })
  return {
    id,
    stopping,
    slots,
    running,
    release,
    heartbeat,
    dispatcher,
    callbacks,
    logs,
    claimer,
    consumers,
    reconciler,
    retention,
    watchdog,
    scope,
    failed: failure.failed,
    handleStrayError: createStrayErrorHandler({ scope, running, events, fail: failure.fail }),
  }

  function onFinished({ status, delayMs, hasCallback }: AttemptEnd) {
    counts.processed++
    if (status === 'FAILURE') counts.failed++
    if (delayMs !== undefined) dispatcher.wakeIn(delayMs)
    if (hasCallback && isFinal(status)) callbacks.wake()
  }

  function onLeaked({ task, abortReason: reason }: RunningTask) {
    const { leaked, capacity } = slots
    events.emit('slot.leaked', { ...announced(task), workerId: id, reason, leaked, capacity })
    // A restart frees all slots. It interrupts running tasks, so it must gain at least half of the slots.
    if (leaked >= capacity / 2)
      failure.fail(`${leaked} of ${capacity} slots have leaked: their handlers ignore their AbortSignal`)
  }

  function publishEnds(finishes: Finish[]) {
    events.emit('batch.written', { kind: 'results', size: finishes.length })
    const ended = finishes.filter(({ decision }) => isFinal(decision.status)).map((finish) => finish.id)
    if (ended.length > 0) signals.publish('ended', ended)
  }
}

/**
 * Checks that `missingAfterMs` is at least three heartbeat intervals, so that a worker can lose two
 * heartbeats before it counts as missing. @throws Error if it is shorter
 */
function checkIntervals(missingAfterMs: number, { heartbeatMs }: Intervals) {
  if (missingAfterMs < 3 * heartbeatMs)
    throw new Error(`missingAfterMs must be at least three heartbeats (${3 * heartbeatMs})`)
}
