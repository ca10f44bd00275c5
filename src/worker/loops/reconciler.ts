// Repairs lost state: marks tasks whose delivery in Redis was lost as not enqueued, and recovers STARTED
// tasks whose worker is missing. Every worker does this. Conditional writes ensure that a task is repaired
// once, even if several workers try it at the same time.
import { type Loop, startLoop } from '../../base/loop.ts'
import { DEFAULT_BACKOFF } from '../../definitions/define.ts'
import type { Registry } from '../../definitions/registry.ts'
import { decide } from '../../definitions/task-status.ts'
import type { Queue } from '../../redis/queue.ts'
import type { DispatchStore } from '../../store/dispatch-store.ts'
import type { Finish } from '../../store/finish.ts'
import type { TaskStore } from '../../store/task-store.ts'
import type { FoundTask, WorkerStore } from '../../store/worker-store.ts'
import type { Events } from '../../telemetry/events.ts'
import type { RunningTasks } from '../attempts/running-tasks.ts'
import type { Consumers } from '../consumers.ts'
import type { Heartbeat } from '../heartbeat.ts'
import type { HookCalls } from '../hooks.ts'
import type { Dispatcher } from './dispatcher.ts'

export interface ReconcilerDependencies {
  /** Names of the delivery queues that the worker serves. The list may become longer. */
  queues: readonly string[]
  workerId: string
  queue: Queue
  store: TaskStore
  dispatchStore: DispatchStore
  workerStore: WorkerStore
  registry: Registry
  running: RunningTasks
  heartbeat: Heartbeat
  /** Replaces the consumer of a delivery queue if it is stuck. */
  checkConsumer: Consumers['check']
  dispatcher: Dispatcher
  /** Hooks of the project; undefined if it has none. */
  hooks?: HookCalls
  events: Events
  intervalMs: number
  /**
   * A waiting task has lost its delivery if it was enqueued at least this many milliseconds before the oldest
   * delivery in its queue in Redis.
   */
  lostAfterMs: number
  missingAfterMs: number
}

// Maximum number of abandoned tasks that one statement ends. It writes their errors too, which takes less than
// 50 ms.
const BATCH = 250
// Number of abandoned tasks after which a search ends. Further ones are found in the next round.
const MAX_FOUND = 20_000
// Maximum number of tasks that one statement marks, which takes less than 50 ms. A full queue has 256,000
// references, so 256 rounds find all of them. These follow each other without a pause.
const LOST_BATCH = 1_000
// Every 12th round of the reconciler always searches for abandoned tasks. The other rounds do so only if a
// worker is missing whose tasks have not been recovered yet. A task is rarely abandoned without a missing
// worker: for example, if the response to its claim was lost, its worker does not run it.
const THOROUGH_EVERY_ROUNDS = 12
// Age of the last heartbeat after which the row of a missing worker is deleted, in milliseconds. Until then
// the page shows the worker.
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
    checkConsumer,
    dispatcher,
    hooks,
    events,
  } = dependencies
  const { intervalMs, lostAfterMs, missingAfterMs } = dependencies
  let round = 0
  // Ids of missing workers of which a search has found no task. They start no more tasks. If one of them lives
  // again, it leaves the list.
  let recovered = new Set<string>()
  const onError = (error: unknown) => void events.emit('error.transient', { where: 'reconciler', error })
  return startLoop({ intervalMs, body: reconcile, onError })

  async function reconcile(stopping: AbortSignal): Promise<number | undefined> {
    let isMore = false
    // Recovers nothing until this worker has sent heartbeats for `missingAfterMs`. After an outage of
    // Postgres the heartbeats of all workers are old, and this gives the others time to send a new one.
    if (heartbeat.stableMs() >= missingAfterMs)
      await withoutDelayingOthers(async () => {
        isMore = await recoverFromMissingWorkers()
      })
    // The tasks of missing workers are recovered first: this needs only Postgres and must not wait for Redis.
    // Queues take turns, one batch each per round, so that many losses in one do not delay the others.
    for (const name of queues) {
      if (stopping.aborted || !queue.isReady(name)) continue
      await withoutDelayingOthers(async () => {
        if ((await findLost(name)) === LOST_BATCH) isMore = true
      })
    }
    return isMore ? 0 : undefined
  }

  /** Runs one part of a round. An error in it is reported and does not prevent the other parts. */
  async function withoutDelayingOthers(work: () => Promise<void>) {
    await work().catch(onError)
  }

  /** @returns whether more tasks may have to be recovered */
  async function recoverFromMissingWorkers(): Promise<boolean> {
    const isThorough = round++ % THOROUGH_EVERY_ROUNDS === 0
    const missing = await workerStore.missing(missingAfterMs)
    recovered = new Set(missing.filter((id) => recovered.has(id)))
    if (!isThorough && missing.length === recovered.size) return false
    const found = await workerStore.findAbandoned({ missingAfterMs, self, limit: MAX_FOUND })
    const abandoned = found.filter(({ isAbandoned }) => isAbandoned)
    await putBack(abandoned, namesByWorker(found))
    if (found.length === 0) recovered = new Set(missing)
    // Deletes the rows of missing workers only after their tasks were recovered: most rounds search for
    // abandoned tasks only if such a row exists.
    if (isThorough && found.length === 0) await workerStore.removeMissing(REMOVE_WORKER_MS)
    return abandoned.length > 0
  }

  function self() {
    return { id: workerId, runningIds: running.all().map(({ task }) => task.id) }
  }

  /**
   * Marks waiting tasks as not enqueued if they were enqueued before the oldest delivery in Redis. A queue is
   * first in, first out, so their own deliveries must have been lost. The dispatcher enqueues the tasks
   * again.
   * @returns how many tasks were marked
   */
  async function findLost(name: string): Promise<number> {
    const { waitingMs, beingClaimedMs } = await queue.oldest(name)
    // Checks whether the consumer is stuck, but only while heartbeats reach Postgres: during an outage no
    // task can be claimed, so a consumer that fetches nothing need not be stuck.
    if (heartbeat.stableMs() > 0) await checkConsumer(name, waitingMs !== null)
    const times = [waitingMs, beingClaimedMs].filter((time) => time !== null)
    const oldestMs = times.length === 0 ? null : Math.min(...times)
    const count = await dispatchStore.clearLost(name, oldestMs, lostAfterMs, LOST_BATCH)
    if (count > 0) {
      events.emit('tasks.enqueued', { reason: 'lost', count })
      dispatcher.wakeIn(0)
    }
    return count
  }

  /**
   * Ends abandoned attempts, in batches. All workers find the same tasks at about the same time, so each of
   * them starts at a random batch, and stops at one that another worker has put back. What then remains is
   * found in the next round.
   */
  async function putBack(tasks: FoundTask[], names: Map<string | null, TasksOfWorker>) {
    const batches = batchesOf(tasks)
    const first = Math.floor(Math.random() * batches.length)
    for (const batch of [...batches.slice(first), ...batches.slice(0, first)]) {
      const ends = batch.map((task) => failureOf(task, names))
      const statuses = await store.finishMany(ends)
      for (const [index, { id, name, attempt, workerId }] of batch.entries()) {
        const status = statuses[index]
        if (!status) continue
        events.emit('attempt.lost', { taskId: id, name, attempt, workerId, status })
        hooks?.attemptEnded({ taskId: id, name, attempt, status, error: ends[index]?.decision.error })
      }
      if (statuses.every((status) => status === null)) return
    }
  }

  /**
   * Returns the end of an abandoned attempt, for writing it to Postgres. It is a failure that counts against
   * the task's retry budget, so that a task that crashes its worker is not repeated forever.
   */
  function failureOf(task: FoundTask, names: Map<string | null, TasksOfWorker>): Finish {
    const backoff = registry.find(task.name)?.backoff ?? DEFAULT_BACKOFF
    const ran = task.workerId === workerId ? undefined : names.get(task.workerId)
    const error = {
      name: 'WorkerLost',
      message: `worker lost during attempt ${task.attempt}${ran ? besides(task, ran) : ''}`,
      retryable: true,
    }
    return {
      id: task.id,
      attempt: task.attempt,
      workerId: task.workerId,
      decision: decide({ ...task, backoff }, { kind: 'failed', error }, Math.random()),
      // The task may be held.
      isHeld: true,
    }
  }
}

/** In the same order in every worker, so that batches of several workers contain the same tasks. */
function batchesOf(tasks: FoundTask[]): FoundTask[][] {
  const sorted = tasks.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  return Array.from({ length: Math.ceil(sorted.length / BATCH) }, (_, index) =>
    sorted.slice(index * BATCH, (index + 1) * BATCH),
  )
}

// Maximum number of other tasks that the error of an abandoned task names.
const MAX_NAMED = 10

/** The tasks that a worker ran: their number, and those that started last (one more than an error names). */
interface TasksOfWorker {
  total: number
  last: FoundTask[]
}

function namesByWorker(found: FoundTask[]): Map<string | null, TasksOfWorker> {
  const byStart = found.toSorted((a, b) => b.startedAtMs - a.startedAtMs || (a.id < b.id ? -1 : 1))
  const byWorker = [...Map.groupBy(byStart, ({ workerId }) => workerId)]
  return new Map(byWorker.map(([id, ran]) => [id, { total: ran.length, last: ran.slice(0, MAX_NAMED + 1) }]))
}

/** Names the other tasks of the worker: one of them may have ended it. Those that started last come first. */
function besides(task: FoundTask, { total, last }: TasksOfWorker): string {
  const named = last.filter(({ id }) => id !== task.id).slice(0, MAX_NAMED)
  if (named.length === 0) return ''
  const more = total - 1 - named.length
  const others = more > 0 ? ` and ${more} other task${more > 1 ? 's' : ''}` : ''
  return `; the worker also ran ${named.map(({ name, id }) => `${name} ${id}`).join(', ')}${others}`
}
