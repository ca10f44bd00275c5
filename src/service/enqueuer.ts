// Enqueues committed tasks in the background, so that no response waits for Redis.
import type { Queue } from '../redis/queue.ts'
import type { DispatchStore } from '../store/dispatch-store.ts'
import type { TaskToEnqueue } from '../store/task-store.ts'
import type { Events } from '../telemetry/events.ts'

export interface Enqueuer {
  /**
   * Starts to enqueue tasks that are marked as enqueued in Postgres. If this fails, the mark is cleared and
   * the dispatcher enqueues them later. If Postgres cannot be reached either, the reconciler enqueues them.
   */
  enqueue(tasks: TaskToEnqueue[]): void
  /** Resolves when nothing is being enqueued. */
  whenIdle(): Promise<void>
}

export interface EnqueuerDependencies {
  queue: Queue
  dispatchStore: DispatchStore
  events: Events
}

export function createEnqueuer({ queue, dispatchStore, events }: EnqueuerDependencies): Enqueuer {
  const pending = new Set<Promise<unknown>>()
  return {
    enqueue(tasks) {
      if (tasks.length === 0) return
      const byQueue = Map.groupBy(tasks, (task) => task.queue)
      const enqueued = Promise.all([...byQueue].map(([name, ofQueue]) => enqueueInto(name, ofQueue)))
      pending.add(enqueued)
      void enqueued.then(() => pending.delete(enqueued))
    },
    async whenIdle() {
      await Promise.all(pending)
    },
  }

  /** Never rejects. Each queue fails alone, so that tasks of other queues are not enqueued twice. */
  async function enqueueInto(name: string, tasks: TaskToEnqueue[]): Promise<void> {
    try {
      await queue.enqueueMany(name, tasks)
    } catch (error) {
      events.emit('enqueue.failed', { count: tasks.length, error })
      await dispatchStore
        .clearEnqueued(tasks)
        .catch((cause) => events.emit('error.transient', { where: 'clearing enqueued_at', error: cause }))
    }
  }
}
