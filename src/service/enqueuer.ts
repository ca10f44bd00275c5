// Enqueues tasks in the background after their rows are committed, so that no response waits for Redis.
import { deliveryQueueOf, type QueuePart } from '../definitions/delivery-queue.ts'
import type { Queue } from '../redis/queue.ts'
import type { Signals } from '../redis/signals.ts'
import type { DispatchStore } from '../store/dispatch-store.ts'
import type { LimitStore } from '../store/held/limit-store.ts'
import type { NewTask, UniqueResult } from '../store/new-tasks.ts'
import type { TaskToEnqueue } from '../store/task-store.ts'
import type { Events } from '../telemetry/events.ts'

export interface Enqueuer {
  /**
   * Puts tasks into Redis in the background. Their rows already have `enqueued_at` set. If Redis fails, or if
   * their queue is full or has a backlog, the column is cleared, and the dispatcher of a worker enqueues them
   * later. If Postgres fails too, the column stays set; the reconciler of a worker later finds that their
   * delivery is lost.
   */
  enqueue(tasks: TaskToEnqueue[]): void
  /**
   * Holds tasks in the background whose rows are marked as enqueued, and tells workers about them. If that
   * fails, the reconciler of a worker later finds that the tasks are not in Redis, and they are held then.
   */
  hold(tasks: UniqueResult['toHold']): void
  /** Tells workers about the held tasks among these. They claim them from Postgres. */
  announceHeld(tasks: NewTask[]): void
  /**
   * Returns whether new tasks of this part of a queue must wait in Postgres, behind other due tasks. They are
   * inserted without `enqueued_at` and not passed to `enqueue`.
   */
  hasBacklog(part: QueuePart): boolean
  /** Resolves when all calls of `enqueue` and `hold` so far have succeeded or failed. */
  whenIdle(): Promise<void>
}

export interface EnqueuerDependencies {
  queue: Queue
  dispatchStore: DispatchStore
  limitStore: Pick<LimitStore, 'hold'>
  signals: Signals
  events: Events
}

export function createEnqueuer(dependencies: EnqueuerDependencies): Enqueuer {
  const { queue, dispatchStore, limitStore, signals, events } = dependencies
  const pending = new Set<Promise<unknown>>()
  return {
    enqueue(tasks) {
      if (tasks.length === 0) return
      const byQueue = Map.groupBy(tasks, deliveryQueueOf)
      waitFor(Promise.all([...byQueue].map(([name, ofQueue]) => enqueueInto(name, ofQueue))))
    },
    hold(tasks) {
      if (tasks.length > 0) waitFor(holdAll(tasks))
    },
    announceHeld(tasks) {
      const queues = new Set<string>()
      for (const { hold, runAt, queue } of tasks) if (hold && !runAt) queues.add(queue)
      if (queues.size > 0) signals.publish('held', [...queues])
    },
    hasBacklog: (part) => queue.hasBacklog(deliveryQueueOf(part)),
    async whenIdle() {
      await Promise.all(pending)
    },
  }

  /** @param work must not reject */
  function waitFor(work: Promise<unknown>) {
    pending.add(work)
    void work.then(() => pending.delete(work))
  }

  /** Never rejects. */
  async function holdAll(tasks: UniqueResult['toHold']): Promise<void> {
    try {
      await limitStore.hold(tasks)
      signals.publish('held', [...new Set(tasks.map(({ queue: name }) => name))])
    } catch (error) {
      events.emit('error.transient', { where: 'holding tasks', error })
    }
  }

  /**
   * Enqueues tasks of one delivery queue. Never rejects: if Redis fails or refuses them, only these tasks are
   * marked in Postgres as not enqueued. Tasks of other queues stay marked as enqueued, so that the dispatcher
   * does not enqueue them twice.
   */
  async function enqueueInto(name: string, tasks: TaskToEnqueue[]): Promise<void> {
    // Uses the oldest time. With a later one, the reconciler would count the older tasks as lost.
    const enqueuedAtMs = Math.min(...tasks.map((task) => task.enqueuedAtMs))
    const isEnqueued = await queue.enqueueMany(name, { references: tasks, enqueuedAtMs }).catch((error) => {
      events.emit('enqueue.failed', { count: tasks.length, error })
      return false
    })
    if (isEnqueued) return
    await dispatchStore
      .clearEnqueued(tasks)
      .catch((error) => events.emit('error.transient', { where: 'clearing enqueued_at', error }))
  }
}
