// Repairs lost state: enqueues tasks whose delivery was lost, and recovers tasks that missing workers have
// abandoned. Every worker does this. Writes are conditional, so two can repair the same task concurrently.
import { type Loop, startLoop } from '../base/loop.ts'
import type { Registry } from '../definitions/registry.ts'
import { decide } from '../definitions/task-status.ts'
import type { Queue } from '../redis/queue.ts'
import type { DispatchStore } from '../store/dispatch-store.ts'
import type { Finish } from '../store/finish.ts'
import type { TaskStore } from '../store/task-store.ts'
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
  /** A delivery counts as lost if its task was enqueued this many milliseconds before the oldest delivery. */
  lostAfterMs: number
  missingAfterMs: number
}

const BATCH = 1_000
// Without a missing worker, only a claim whose response was lost leaves an abandoned task. That is rare, so
// only some rounds search for it.
const THOROUGH_EVERY_ROUNDS = 12
// Rows of missing workers are kept for a while, because the page shows them.
const REMOVE_WORKER_MS = 600_000

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
    // After an outage of Postgres all heartbeats are old. Other workers get time to send a new one first.
    if (heartbeat.stableMs() >= missingAfterMs) await recoverFromMissingWorkers()
    // Last, because it needs Redis. Repairs that need only Postgres must not wait for Redis.
    for (const name of queues) if (queue.isReady(name)) await reenqueueLost(name, stopping)
  }

  async function recoverFromMissingWorkers() {
    const isThorough = round++ % THOROUGH_EVERY_ROUNDS === 0
    await recoverAbandoned(isThorough)
    // Last, because other rounds find abandoned tasks only while the row of a missing worker exists.
    if (isThorough) await workerStore.removeMissing(REMOVE_WORKER_MS)
  }

  async function reenqueueLost(name: string, stopping: AbortSignal) {
    // The queue is first in, first out: a waiting task enqueued before the oldest delivery has lost its own.
    const { waitingMs, beingClaimedMs } = await queue.oldest(name)
    // Without Postgres no task can be claimed, so a consumer that fetches nothing is not stuck.
    if (heartbeat.stableMs() > 0) await consumers.check(name, waitingMs)
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

  async function recoverAbandoned(isThorough: boolean) {
    const self = { id: workerId, runningIds: running.all().map(({ task }) => task.id) }
    const tasks = await workerStore.findAbandoned({ missingAfterMs, self, isThorough, limit: BATCH })
    if (tasks.length === 0) return
    const statuses = await store.finishMany(tasks.map(failureOf))
    for (const [index, { id, name, attempt, workerId }] of tasks.entries()) {
      const status = statuses[index]
      if (status) events.emit('task.lost', { taskId: id, name, attempt, workerId, status })
    }
  }

  /** Uses the retry budget like any failure, so that a task that kills its worker does not run forever. */
  function failureOf(task: AbandonedTask): Finish {
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
