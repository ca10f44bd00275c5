// Repairs what was lost: bells that nobody heard, and tasks that a silent worker left behind.
// Any worker may; every write is conditional, so two at once do no harm.
import { type Loop, startLoop } from '../base/loop.ts'
import type { Registry } from '../definitions/registry.ts'
import { decide } from '../definitions/task-status.ts'
import type { Queue } from '../redis/queue.ts'
import type { DispatchStore } from '../store/dispatch-store.ts'
import type { Finish, TaskStore } from '../store/task-store.ts'
import type { AbandonedTask, WorkerStore } from '../store/worker-store.ts'
import type { Events } from '../telemetry/events.ts'
import type { Consumers } from './consumers.ts'
import { enqueueMarked } from './dispatcher.ts'
import type { Heartbeat } from './heartbeat.ts'
import type { RunningTasks } from './running-tasks.ts'

export interface ReconcilerDependencies {
  queues: string[]
  workerId: string
  queue: Queue
  store: TaskStore
  dispatchStore: DispatchStore
  workerStore: WorkerStore
  registry: Registry
  running: RunningTasks
  heartbeat: Heartbeat
  consumers: Consumers
  events: Events
  intervalMs: number
  /** A bell counts as unheard when it is this much older than the oldest delivery that waits. */
  lostAfterMs: number
  missingAfterMs: number
}

const BATCH = 1_000
// Without a silent worker a left-behind task is a claim whose answer was lost: rare enough to be looked for rarely.
const THOROUGH_EVERY_ROUNDS = 12
const FORGET_WORKER_MS = 600_000

export function startReconciler(dependencies: ReconcilerDependencies): Loop {
  const {
    queues,
    workerId,
    queue,
    store,
    dispatchStore,
    workerStore,
    registry,
    running,
    heartbeat,
    consumers,
    events,
  } = dependencies
  const { intervalMs, lostAfterMs, missingAfterMs } = dependencies
  let round = 0
  return startLoop({
    intervalMs,
    body: reconcile,
    onError: (error) => events.emit('error.transient', { where: 'reconciler', error }),
  })

  async function reconcile(stopping: AbortSignal) {
    // When Postgres was away, everybody's beats are old: first give the others time to be seen again.
    if (heartbeat.stableMs() >= missingAfterMs) await repairWorkers()
    // Last, because it asks Redis: what needs Postgres alone must not wait for that.
    for (const name of queues) if (queue.isReady(name)) await reenqueueLost(name, stopping)
  }

  async function repairWorkers() {
    const isThorough = round++ % THOROUGH_EVERY_ROUNDS === 0
    await endAbandoned(isThorough)
    // Only now: what a worker left behind is found by its row.
    if (isThorough) await workerStore.removeMissing(FORGET_WORKER_MS)
  }

  async function reenqueueLost(name: string, stopping: AbortSignal) {
    // First in, first out: whatever was rung before the oldest delivery and is not claimed has lost its bell.
    const { waitingMs, beingClaimedMs } = await queue.oldest(name)
    // While Postgres is away nobody can claim, and no consumer is to blame.
    if (heartbeat.stableMs() > 0) await consumers.watch(name, waitingMs)
    const oldestMs = Math.min(waitingMs ?? Date.now(), beingClaimedMs ?? Date.now(), Date.now())
    while (!stopping.aborted) {
      const refs = await dispatchStore.markLostEnqueued(
        name,
        new Date(oldestMs - lostAfterMs),
        lostAfterMs,
        BATCH,
      )
      if (refs.length > 0) await enqueueMarked({ queue, dispatchStore, events }, 'lost', name, refs)
      if (refs.length < BATCH) return
    }
  }

  async function endAbandoned(isThorough: boolean) {
    const self = { id: workerId, runningIds: running.all().map(({ task }) => task.id) }
    const tasks = await workerStore.findAbandoned({ missingAfterMs, self, isThorough, limit: BATCH })
    if (tasks.length === 0) return
    const statuses = await store.finishMany(tasks.map(lost))
    for (const [index, { id, name, attempt, workerId }] of tasks.entries()) {
      const status = statuses[index]
      if (status) events.emit('task.lost', { taskId: id, name, attempt, workerId, status })
    }
  }

  /** Uses the budget like any failure: a task that kills its worker must stop somewhere. */
  function lost(task: AbandonedTask): Finish {
    const backoff = registry.find(task.name)?.backoff ?? { baseMs: 1_000, capMs: 300_000 }
    const error = {
      name: 'WorkerLost',
      message: `worker lost during attempt ${task.attempt}`,
      retryable: true,
    }
    return {
      id: task.id,
      attempt: task.attempt,
      workerId: task.workerId,
      decision: decide({ ...task, backoff }, { kind: 'failed', error }, Math.random()),
    }
  }
}
