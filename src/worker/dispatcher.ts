// Enqueues tasks that are due and not in Redis: delayed tasks, retries, released tasks, and submissions whose
// enqueue failed. Every worker does this for its queues. No worker is elected.
import { startLoop } from '../base/loop.ts'
import type { Queue } from '../redis/queue.ts'
import type { DispatchStore } from '../store/dispatch-store.ts'
import type { TaskToEnqueue } from '../store/task-store.ts'
import type { Events } from '../telemetry/events.ts'

export interface Dispatcher {
  /** Makes the dispatcher run when `delayMs` milliseconds have passed, because a task will be due then. */
  wakeIn(delayMs: number): void
  stop(): Promise<void>
}

export interface DispatcherDependencies {
  queues: string[]
  queue: Queue
  dispatchStore: DispatchStore
  events: Events
  intervalMs: number
}

// Maximum number of tasks per statement: enough for several full deliveries. A round queries a queue again
// until the queue has fewer due tasks than this.
const BATCH = 1_000

export function startDispatcher(dependencies: DispatcherDependencies): Dispatcher {
  const { queues, queue, dispatchStore, events, intervalMs } = dependencies
  const timers = new Set<NodeJS.Timeout>()
  const loop = startLoop({
    intervalMs,
    body: dispatch,
    onError: (error) => events.emit('error.transient', { where: 'dispatcher', error }),
  })
  return {
    wakeIn(delayMs) {
      // A task that is due in `intervalMs` or later needs no timer: the dispatcher runs before that anyway.
      // Each run ends by asking Postgres when the next task is due, and the next run starts at that time.
      if (delayMs >= intervalMs) return
      const timer = setTimeout(() => {
        timers.delete(timer)
        loop.wake()
      }, delayMs + 1)
      timers.add(timer)
    },
    async stop() {
      for (const timer of timers) clearTimeout(timer)
      await loop.stop()
    },
  }

  async function dispatch(stopping: AbortSignal): Promise<number | undefined> {
    const reachable = queues.filter((name) => queue.isReady(name))
    if (reachable.length === 0) return
    // Queues take turns, one batch each, so that a backlog in one queue does not delay the others.
    for (let rest = reachable; rest.length > 0 && !stopping.aborted; ) {
      const full: string[] = []
      for (const name of rest) if ((await dispatchBatch(name)) === BATCH) full.push(name)
      rest = full
    }
    return (await dispatchStore.msUntilDue(reachable)) ?? undefined
  }

  async function dispatchBatch(name: string): Promise<number> {
    const tasks = await dispatchStore.markDueEnqueued(name, BATCH)
    if (tasks.length > 0) await enqueueMarked({ queue, dispatchStore, events }, 'due', name, tasks)
    return tasks.length
  }
}

/**
 * Puts tasks into Redis that were just marked as enqueued in Postgres. If that fails, clears the marks, so
 * that the next round of the dispatcher enqueues the tasks, and throws the error.
 */
export async function enqueueMarked(
  { queue, dispatchStore, events }: Pick<DispatcherDependencies, 'queue' | 'dispatchStore' | 'events'>,
  reason: 'due' | 'lost',
  name: string,
  tasks: TaskToEnqueue[],
): Promise<void> {
  try {
    await queue.enqueueMany(name, tasks)
    events.emit('tasks.enqueued', { reason, count: tasks.length })
  } catch (error) {
    await dispatchStore.clearEnqueued(tasks)
    throw error
  }
}
