// Starts the parts of a worker (heartbeat, dispatcher, claimer, reconciler and others) and connects them.
import { AsyncLocalStorage } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { createGroupCommit } from '../base/group-commit.ts'
import type { Connections } from '../connections.ts'
import { deliveryQueueOf } from '../definitions/delivery-queue.ts'
import type { Registry } from '../definitions/registry.ts'
import { isFinal, type TaskStatus } from '../definitions/task-status.ts'
import type { ClaimedTask } from '../store/claim.ts'
import type { Finish } from '../store/finish.ts'
import type { NewLogLine } from '../store/log-store.ts'
import type { RefusedAttempt } from '../store/refused-ends.ts'
import type { Events } from '../telemetry/events.ts'
import { createKeepRefused } from './attempts/refused-attempt.ts'
import { type AttemptEnd, announced, createRunner } from './attempts/runner.ts'
import { type AttemptKey, createRunningTasks, type RunningTask } from './attempts/running-tasks.ts'
import { createSlots } from './attempts/slots.ts'
import { createStrayErrorHandler } from './attempts/stray-errors.ts'
import { startTaskLogs } from './attempts/task-logs.ts'
import { createUnwrittenResults } from './attempts/unwritten-results.ts'
import { createClaimer } from './claimer.ts'
import { startConsumers } from './consumers.ts'
import { startHeartbeat } from './heartbeat.ts'
import { createIsolatedAttempts } from './isolated/isolated-attempts.ts'
import { startCallbacks } from './loops/callbacks.ts'
import { startDispatcher } from './loops/dispatcher.ts'
import { startReconciler } from './loops/reconciler.ts'
import { startRetention } from './loops/retention.ts'
import { createRelease } from './release.ts'
import { startWatchdog } from './watchdog/watchdog.ts'
import { createWorkerFailure } from './worker-failure.ts'

export interface WorkerOptions extends Partial<Intervals> {
  /** Id of the worker, a UUID. Its supervisor chooses it, to find the tasks of a crashed worker. Default: random. */
  id?: string
  queues: string[]
  concurrency: number
  version: string
  /** After this many milliseconds without a heartbeat, a worker is missing, and others recover its tasks. */
  missingAfterMs: number
  /** `role` of this process in its log lines; `worker` by default. */
  role?: string
  /**
   * Process id of the supervisor. If the supervisor has ended, this process is killed. Without this id, the process
   * is never killed because of a blocked event loop, because nothing would start it again.
   */
  parentPid?: number
  /** How long a task is kept after its end, in milliseconds. Undefined keeps it forever. */
  keptMs?: number
  /**
   * Processes that run isolated tasks: the module that they execute, which calls `serveAttempts`, and their
   * maximum number. Without them this worker runs no isolated tasks.
   */
  isolated?: { script: string; processes: number }
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

// Maximum number of refused ends in one statement. Each has at most about 60 KiB.
const MAX_REFUSED_BATCH = 50

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
  const id = options.id ?? randomUUID()
  const stopping = new AbortController()
  const counts = { processed: 0, failed: 0 }
  const slots = createSlots(concurrency)
  // Each slot of the isolated tasks is a process.
  const isolatedSlots = createSlots(options.isolated?.processes ?? 0)
  const isolatedDefinitions = registry.all.filter(({ isolate, queue }) => isolate && queues.includes(queue))
  // Names of the delivery queues that this worker serves. Those of isolated tasks are added when the worker has
  // such definitions, or has found such tasks: a task whose worker has crashed is isolated, too.
  const served = [...queues]
  const scope = new AsyncLocalStorage<AttemptKey>()
  const running = createRunningTasks({ scope, onAborted: (attempt) => runner.endAfterGrace(attempt) })
  const failure = createWorkerFailure({ workerId: id, slots: [slots, isolatedSlots], running, events })
  const releaseTasks = createRelease({ workerId: id, store: taskStore, events })
  /** False if a claimed task may still be STARTED although this worker does not run it. */
  let hasReleasedAll = true
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
    worker: {
      id,
      host: hostname(),
      pid: process.pid,
      version,
      queues,
      concurrency,
      isolatedProcesses: isolatedSlots.capacity,
    },
    store: workerStore,
    signals,
    running,
    slots,
    counts,
    lastBlockedBeatMs: watchdog.lastBeatAtMs,
    onDraining(isDraining) {
      slots.setDraining(isDraining)
      isolatedSlots.setDraining(isDraining)
    },
    events,
    intervalMs: intervals.heartbeatMs,
    missingAfterMs,
  })
  const dispatcher = startDispatcher({
    queues: served,
    addIsolatedQueues,
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
  const isolated =
    options.isolated &&
    createIsolatedAttempts({
      script: options.isolated.script,
      size: options.isolated.processes,
      names: isolatedDefinitions.map(({ name }) => name),
      onLog,
      events,
    })
  const refusedEnds = createGroupCommit<RefusedAttempt, TaskStatus | null>({
    name: 'refused ends',
    write: taskStore.recordRefusedMany,
    maxBatch: MAX_REFUSED_BATCH,
  })
  const runner = createRunner({
    workerId: id,
    registry,
    running,
    scope,
    slots,
    isolated: isolated && { slots: isolatedSlots, perform: isolated.perform },
    isolate,
    logs,
    unwritten: createUnwrittenResults(),
    watchdog,
    finish: results.add,
    keepRefused: createKeepRefused(refusedEnds.add, events),
    onFinished,
    onLeaked,
    events,
    abortGraceMs: intervals.abortGraceMs,
  })
  const claims = {
    workerId: id,
    queue,
    store: taskStore,
    heartbeat,
    release,
    onReleased: () => dispatcher.wakeIn(0),
    onUnknownClaim() {
      hasReleasedAll = false
    },
    events,
    stopping: stopping.signal,
    claimLimitMs: intervals.claimLimitMs,
  }
  const claimer = createClaimer({ ...claims, slots, run: (task) => runner.run(task) })
  const isolatedClaimer = createClaimer({
    ...claims,
    slots: isolatedSlots,
    run: (task) => runner.run(task, true),
  })
  const consuming = { queue, events, stuckMs: intervals.stuckMs }
  const consumers = startConsumers({ ...consuming, queues, slots, handle: claimer.handle })
  const isolatedConsumers = startConsumers({
    ...consuming,
    queues: [],
    slots: isolatedSlots,
    handle: isolatedClaimer.handle,
  })
  for (const definition of isolatedDefinitions) serveIsolated(definition.queue)
  const reconciler = startReconciler({
    queues: served,
    workerId: id,
    queue,
    store: taskStore,
    dispatchStore,
    workerStore,
    registry,
    running,
    heartbeat,
    async checkConsumer(name, isWaiting) {
      await consumers.check(name, isWaiting)
      await isolatedConsumers.check(name, isWaiting)
    },
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
    isolatedSlots,
    isolated,
    running,
    release,
    heartbeat,
    dispatcher,
    callbacks,
    logs,
    claimers: [claimer, isolatedClaimer],
    consumers: [consumers, isolatedConsumers],
    reconciler,
    retention,
    watchdog,
    scope,
    failed: failure.failed,
    hasReleasedAll: () => hasReleasedAll,
    handleStrayError: createStrayErrorHandler({ scope, running, events, fail: failure.fail }),
  }

  async function isolate(task: ClaimedTask) {
    try {
      await dispatchStore.isolate(task, id)
    } catch (error) {
      // The task is released without the mark. The next worker that claims it tries again.
      events.emit('error.transient', { where: 'isolating a task', error })
    }
    await release([task])
    dispatcher.wakeIn(0)
  }

  async function release(tasks: ClaimedTask[]) {
    if (!(await releaseTasks(tasks))) hasReleasedAll = false
  }

  /** Starts to serve the isolated tasks of a queue. */
  function serveIsolated(queueName: string) {
    const name = deliveryQueueOf({ queue: queueName, isIsolated: true })
    if (!options.isolated || served.includes(name)) return
    served.push(name)
    isolatedConsumers.add(name)
  }

  async function addIsolatedQueues() {
    const unserved = queues.filter((queue) => !served.includes(deliveryQueueOf({ queue, isIsolated: true })))
    if (!options.isolated || unserved.length === 0) return
    for (const name of await dispatchStore.withIsolatedTasks(unserved)) serveIsolated(name)
  }

  function onLog(attempt: RunningTask, lines: NewLogLine[]) {
    if (attempt.isOver) return
    logs.addStorable(attempt, lines)
    for (const { message, fields } of lines) {
      const parsed = fields === null ? undefined : JSON.parse(fields)
      events.emit('task.log', { ...announced(attempt.task), message, fields: parsed })
    }
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
