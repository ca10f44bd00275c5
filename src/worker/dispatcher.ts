// Enqueues tasks that are due and not in Redis: delayed tasks, retries, released tasks, and tasks that wait
// behind others because their queue in Redis was full. Every worker does this for its queues. No worker is
// elected.
import { startLoop } from '../base/loop.ts'
import { MAX_REFERENCES, type Queue } from '../redis/queue.ts'
import type { DispatchStore, DueCursor, DueTask } from '../store/dispatch-store.ts'
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

// Maximum number of tasks per statement: enough for several full deliveries.
const BATCH = 1_000
// Number of deliveries up to which the dispatcher tops up a queue with a backlog: 8,192 references, which is
// more than Postgres can claim in `TOP_UP_MS`. A longer list would only cost memory of Redis.
const TOP_UP_DELIVERIES = 64
// Pause while a queue with a backlog has enough deliveries in Redis.
const TOP_UP_MS = 25
// Pause after a backlog flag was deleted. Until a process has read this, it inserts tasks as not enqueued,
// and only the dispatcher enqueues them.
const AFTER_BACKLOG_MS = 100
// Time after which a search for due tasks starts again from the oldest one, to find tasks that became due
// before those that were enqueued last: tasks whose enqueue failed, and lost deliveries.
const RESTART_MS = 5_000

/**
 * State of a queue after its turn. `more`: due tasks may remain and Redis has room. `full`: Redis has no
 * room. `ended`: the backlog has just ended. `idle`: no due task is left, or the queue is paused.
 */
type Turn = 'more' | 'full' | 'ended' | 'idle'

export function startDispatcher(dependencies: DispatcherDependencies): Dispatcher {
  const { queues, queue, dispatchStore, events, intervalMs } = dependencies
  const timers = new Set<NodeJS.Timeout>()
  /** Where the search for due tasks of a queue goes on, and when it was started from the oldest one. */
  const cursors = new Map<string, { after: DueCursor; startedMs: number }>()
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

  /**
   * Queues take turns, one batch each per round, so that a backlog in one queue does not delay the others.
   */
  async function dispatch(stopping: AbortSignal): Promise<number | undefined> {
    const reachable = queues.filter((name) => queue.isReady(name))
    if (reachable.length === 0) return
    const paused = await dispatchStore.pausedAmong(reachable)
    const turns = new Map<string, Turn>()
    for (const name of reachable) {
      if (stopping.aborted) return
      turns.set(name, paused.has(name) ? await holdBack(name) : await dispatchBatch(name))
    }
    const states = [...turns.values()]
    if (states.includes('more')) return 0
    if (states.includes('full')) return TOP_UP_MS
    if (states.includes('ended')) return AFTER_BACKLOG_MS
    const ms = await dispatchStore.msUntilDue(reachable)
    // A task that is due and was not found is locked, for example by another dispatcher.
    return ms === null ? undefined : ms > 0 ? ms : TOP_UP_MS
  }

  /** Sets the backlog flag of a paused queue, so that its new tasks wait in Postgres. Enqueues nothing. */
  async function holdBack(name: string): Promise<Turn> {
    if (!(await queue.readState(name)).hasBacklog) await queue.setBacklog(name, true)
    return 'idle'
  }

  async function dispatchBatch(name: string): Promise<Turn> {
    const { deliveries, maxDeliveries, hasBacklog } = await queue.readState(name)
    const target = hasBacklog ? Math.min(TOP_UP_DELIVERIES, maxDeliveries) : maxDeliveries
    const room = Math.max(0, target - deliveries) * MAX_REFERENCES
    const limit = Math.min(BATCH, room)
    const { tasks, isFromStart } = await takeDue(name, limit)
    if (limit > 0 && tasks.length < limit) {
      if (!isFromStart) return 'more'
      if (!hasBacklog) return 'idle'
      // No due task is left. Tasks that are committed from now on are enqueued by those who submit them.
      await queue.setBacklog(name, false)
      return 'ended'
    }
    if (!hasBacklog) await queue.setBacklog(name, true)
    return limit < room ? 'more' : 'full'
  }

  /**
   * Enqueues up to `limit` due tasks of a queue, from the cursor of the queue on.
   * @returns these tasks, and whether the search started from the oldest due task
   */
  async function takeDue(name: string, limit: number): Promise<{ tasks: DueTask[]; isFromStart: boolean }> {
    const cursor = cursors.get(name)
    const isFromStart = cursor === undefined || performance.now() - cursor.startedMs > RESTART_MS
    if (limit === 0) return { tasks: [], isFromStart }
    const tasks = await dispatchStore.markDueEnqueued(name, limit, isFromStart ? undefined : cursor.after)
    const after = tasks.at(-1)
    if (after && tasks.length === limit)
      cursors.set(name, { after, startedMs: isFromStart ? performance.now() : cursor.startedMs })
    else cursors.delete(name)
    if (tasks.length > 0) await enqueue(name, tasks)
    return { tasks, isFromStart }
  }

  /**
   * Puts tasks into Redis that were just marked as enqueued in Postgres. If Redis fails or refuses them,
   * clears the marks, so that a later round enqueues the tasks. @throws the error of Redis
   */
  async function enqueue(name: string, tasks: DueTask[]): Promise<void> {
    const [{ enqueuedAtMs }] = tasks as [DueTask] // one statement has marked all of them
    let isEnqueued = false
    try {
      isEnqueued = await queue.enqueueMany(name, { references: tasks, enqueuedAtMs }, { isBacklog: true })
    } finally {
      if (isEnqueued) events.emit('tasks.enqueued', { reason: 'due', count: tasks.length })
      else {
        cursors.delete(name)
        await dispatchStore.clearEnqueued(tasks)
      }
    }
  }
}
