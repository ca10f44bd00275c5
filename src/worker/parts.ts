// Starts the parts of a worker (heartbeat, dispatcher, claimer, reconciler and others) and connects them.
import { AsyncLocalStorage } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { createGroupCommit } from '../base/group-commit.ts'
import type { Connections } from '../connections.ts'
import { hasKeys, limitsOf } from '../definitions/limits.ts'
import type { Registry } from '../definitions/registry.ts'
import { NO_SERVICES } from '../definitions/services.ts'
import { isFinal, type TaskStatus } from '../definitions/task-status.ts'
import type { ClaimedTask } from '../store/claim.ts'
import type { Finish } from '../store/finish.ts'
import { holdAgain } from '../store/held/hold-again.ts'
import type { NewLogLine } from '../store/log-store.ts'
import type { RefusedAttempt } from '../store/refused-ends.ts'
import type { Events } from '../telemetry/events.ts'
import { announced } from './attempts/announced-task.ts'
import { createAttemptEnd, type WrittenEnd } from './attempts/attempt-end.ts'
import { createKeepRefused } from './attempts/refused-attempt.ts'
import { createRunner } from './attempts/runner.ts'
import { type AttemptKey, createRunningTasks, type RunningTask } from './attempts/running-tasks.ts'
import { createSlots } from './attempts/slots.ts'
import { createStrayErrorHandler } from './attempts/stray-errors.ts'
import { startTaskLogs } from './attempts/task-logs.ts'
import { createUnwrittenResults } from './attempts/unwritten-results.ts'
import { createClaimer } from './claimer.ts'
import { startConsumers } from './consumers.ts'
import { startHeartbeat } from './heartbeat.ts'
import { createHookCalls } from './hooks.ts'
import { createIsolatedAttempts } from './isolated/isolated-attempts.ts'
import { startCallbacks } from './loops/callbacks.ts'
import { startDispatcher } from './loops/dispatcher.ts'
import { startHeldTasks } from './loops/held-tasks.ts'
import { startReconciler } from './loops/reconciler.ts'
import { startRetention } from './loops/retention.ts'
import { startScheduler } from './loops/scheduler.ts'
import { createRelease } from './release.ts'
import { createServedQueues } from './served-queues.ts'
import { startWatchdog } from './watchdog/watchdog.ts'
import { createWorkerFailure } from './worker-failure.ts'
import {
  checkIntervals,
  DEFAULT_INTERVALS,
  KEYS_KEPT_MS,
  retentionPolicyOf,
  type WorkerOptions,
} from './worker-options.ts'

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
  | 'limitStore'
  | 'uniqueStore'
  | 'callbackStore'
  | 'dueScheduleStore'
  | 'codeSchedules'
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
  const { taskStore, dispatchStore, limitStore, workerStore, queue, signals } = connections
  const { queues, concurrency, version, missingAfterMs } = options
  const intervals = { ...DEFAULT_INTERVALS, ...options }
  checkIntervals(missingAfterMs, intervals)
  const id = options.id ?? randomUUID()
  const stopping = new AbortController()
  const counts = { processed: 0, failed: 0 }
  const slots = createSlots(concurrency)
  // Each slot of the isolated tasks is a process.
  const isolatedSlots = createSlots(options.isolated?.processes ?? 0)
  const isolatedDefinitions = registry.all.filter(({ isolate, queue }) => isolate && queues.includes(queue))
  const served = createServedQueues({
    queues,
    hasProcesses: options.isolated !== undefined,
    findIsolated: dispatchStore.withIsolatedTasks,
    onAdded: (deliveryQueue) => isolatedConsumers.add(deliveryQueue),
  })
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
    prepare: () =>
      limitStore.writeDefinitions(
        registry.all.map((definition) => ({
          name: definition.name,
          limits: limitsOf(definition),
          hasKeys: hasKeys(definition),
        })),
      ),
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
    queues: served.all,
    addIsolatedQueues: served.addFound,
    queue,
    dispatchStore,
    async hold(tasks) {
      await holdAgain(limitStore, registry.find, tasks)
      wakeHeld(tasks)
    },
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
  const scheduler = startScheduler({
    store: connections.dueScheduleStore,
    codeSchedules: connections.codeSchedules,
    registry,
    onMade: dispatcher.wakeIn,
    async hold(tasks) {
      if (tasks.length === 0) return
      await limitStore.hold(tasks)
      wakeHeld(tasks)
    },
    isOnlyVersion: options.isOnlyVersion ?? false,
    events,
    intervalMs: intervals.scheduleMs,
  })
  const logs = startTaskLogs({
    workerId: id,
    store: connections.logStore,
    events,
    intervalMs: intervals.logMs,
  })
  const createResults = () =>
    createGroupCommit<Finish, TaskStatus | null>({
      name: 'results',
      write: taskStore.finishMany,
      onWritten: publishEnds,
      maxBatchBytes: MAX_BATCH_BYTES,
      // The results that wait are limited by the slots (unwritten-results.ts).
      maxWaitingBytes: Number.POSITIVE_INFINITY,
      sizeOf: ({ decision }) => decision.resultText?.length ?? 0,
    })
  const results = createResults()
  // Apart from the others, which must not wait for locks of groups.
  const heldResults = createResults()
  const isolated =
    options.isolated &&
    createIsolatedAttempts({
      script: options.isolated.script,
      size: options.isolated.processes,
      loadRetryMs: options.isolated.loadRetryMs,
      names: isolatedDefinitions.map(({ name }) => name),
      onLog,
      events,
    })
  const refusedEnds = createGroupCommit<RefusedAttempt, TaskStatus | null>({
    name: 'refused ends',
    write: taskStore.recordRefusedMany,
    maxBatch: MAX_REFUSED_BATCH,
  })
  const services = options.services ?? NO_SERVICES
  const hooks = createHookCalls({
    hooks: options.hooks ?? {},
    services,
    store: workerStore,
    scope,
    events,
  })
  const runner = createRunner({
    workerId: id,
    registry,
    services,
    running,
    scope,
    slots,
    isolated: isolated && { slots: isolatedSlots, perform: isolated.perform },
    isolate,
    logs,
    unwritten: createUnwrittenResults(),
    watchdog,
    end: createAttemptEnd({
      workerId: id,
      running,
      logs,
      finish: (finish) => (finish.isHeld ? heldResults : results).add(finish),
      keepRefused: createKeepRefused(refusedEnds.add, events),
      onFinished,
      hooks,
      events,
    }),
    hasHooks: hooks !== undefined,
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
  const held = startHeldTasks({
    workerId: id,
    queues: served.all,
    store: limitStore,
    heartbeat,
    slots,
    isolatedSlots,
    runningIds: () => running.all().map(({ task }) => task.id),
    run: (task, isIsolated) => void runner.run(task, isIsolated),
    release,
    onUnknownClaim() {
      hasReleasedAll = false
    },
    onExpired(tasks) {
      signals.publish(
        'ended',
        tasks.map(({ id }) => id),
      )
      events.emit('tasks.cancelled', { tasks })
      callbacks.wake()
    },
    onFreed: () => signals.publish('held', queues),
    events,
    stopping: stopping.signal,
    intervalMs: intervals.dispatchMs,
  })
  const stopListening = signals.listen('held', (names) => {
    if (names.some((name) => queues.includes(name))) held.wake()
  })
  for (const definition of isolatedDefinitions) served.addIsolated(definition.queue)
  const reconciler = startReconciler({
    queues: served.all,
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
    hooks,
    events,
    intervalMs: intervals.reconcileMs,
    lostAfterMs: intervals.lostAfterMs,
    missingAfterMs,
  })
  const retention = startRetention({
    store: connections.retentionStore,
    activityStore: connections.activityStore,
    cleanLimits: limitStore.clean,
    pruneKeysOfUnique: connections.uniqueStore.prune,
    events,
    policy: retentionPolicyOf(options, registry.all),
    keysKeptMs: options.keysKeptMs ?? KEYS_KEPT_MS,
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
    scheduler,
    logs,
    claimers: [claimer, isolatedClaimer],
    consumers: [consumers, isolatedConsumers],
    reconciler,
    retention,
    held: {
      wake: held.wake,
      stop() {
        stopListening()
        return held.stop()
      },
    },
    hooks,
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
    if (tasks.some(({ isHeld }) => isHeld)) signals.publish('held', queues)
  }

  function onLog(attempt: RunningTask, lines: NewLogLine[]) {
    if (attempt.isOver) return
    logs.addStorable(attempt, lines)
    for (const { message, fields } of lines) {
      const parsed = fields === null ? undefined : JSON.parse(fields)
      events.emit('task.log', { ...announced(attempt.task), message, fields: parsed })
    }
  }

  function onFinished({ status, delayMs, hasCallback }: WrittenEnd) {
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
    if (!finishes.some(({ isHeld }) => isHeld)) return
    held.freed()
  }

  /** Tells all workers that these tasks are held and may be able to start. */
  function wakeHeld(tasks: readonly { queue: string }[]) {
    held.wake()
    signals.publish('held', [...new Set(tasks.map((task) => task.queue))])
  }
}
