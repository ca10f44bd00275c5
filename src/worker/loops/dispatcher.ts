// Enqueues tasks that are due and not in Redis: delayed tasks, retries, released tasks, and tasks that wait
// behind others because their queue in Redis was full. Every worker does this for its queues. No worker is
// elected.
import { startLoop } from '../../base/loop.ts'
import { MAX_REFERENCES, type Queue } from '../../redis/queue.ts'
import type { DispatchStore, DueCursor, DueTask, QueueStates } from '../../store/dispatch-store.ts'
import type { Events } from '../../telemetry/events.ts'

export interface Dispatcher {
  /** Makes the dispatcher run when `delayMs` milliseconds have passed, because a task will be due then. */
  wakeIn(delayMs: number): void
  stop(): Promise<void>
}

export interface DispatcherDependencies {
  /** Names of the delivery queues that the worker serves. The list may become longer. */
  queues: readonly string[]
  /**
   * Called once a second. Finds queues that have isolated tasks although this worker does not serve their
   * delivery queues yet, and adds those to `queues`.
   */
  addIsolatedQueues: () => Promise<void>
  queue: Queue
  dispatchStore: DispatchStore
  /** Holds due tasks that must not be enqueued, because they have limits. */
  hold: (tasks: DueTask[]) => Promise<void>
  events: Events
  intervalMs: number
}

// Maximum number of tasks per statement: enough for several full deliveries.
const BATCH = 1_000
// Number of deliveries up to which the dispatcher tops up a queue with a backlog: 8,192 references, which is
// more than Postgres can claim in `TOP_UP_MS`. A longer list would only cost memory of Redis.
const TOP_UP_DELIVERIES = 64
// Pause of a queue with a backlog that has enough deliveries in Redis. It doubles up to the maximum while no
// delivery is fetched.
const TOP_UP_MS = 25
const MAX_TOP_UP_MS = 200
// Pause after a backlog flag was deleted. Until a process has read this, it inserts tasks as not enqueued,
// and only the dispatcher enqueues them.
const AFTER_BACKLOG_MS = 100
// Minimum pause before the next due task of an idle queue: many tasks with slightly different times are then
// enqueued together.
const MIN_PAUSE_MS = 10
// Time after which a search for due tasks starts again from the oldest one, to find tasks that became due
// before those that were enqueued last: tasks whose enqueue failed, and lost deliveries. It is longer if such
// a search takes long, for example because an old transaction keeps many index entries.
const RESTART_MS = 5_000
const RESTART_PER_DURATION = 10

/**
 * State of a queue after its turn. `more`: due tasks may remain and Redis has room. `full`: Redis has no
 * room. `ended`: the backlog has just ended. `idle`: no due task is left, or the queue is paused. `failed`:
 * Redis or Postgres has failed.
 */
type Turn = 'more' | 'full' | 'ended' | 'idle' | 'failed'

/** What the dispatcher knows of one queue. Times are those of `performance.now()`. */
interface QueueProgress {
  /** When its next turn is due. */
  turnAtMs: number
  /** Pause before the next turn if Redis has no room, and the number of deliveries at the last turn. */
  topUpMs: number
  deliveries: number
  /** Where the search for due tasks goes on, and when it starts again from the oldest one. */
  cursor?: { after: DueCursor; restartAtMs: number }
}

export function startDispatcher(dependencies: DispatcherDependencies): Dispatcher {
  const { queues, addIsolatedQueues, queue, dispatchStore, hold, events, intervalMs } = dependencies
  const timers = new Set<NodeJS.Timeout>()
  const progressOf = new Map<string, QueueProgress>()
  let states: QueueStates = { paused: new Set(), limited: new Set() }
  let statesReadMs = Number.NEGATIVE_INFINITY
  let isWoken = false
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
        isWoken = true
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
   * Queues take turns, one batch each per round, so that a backlog in one queue does not delay the others. A
   * queue whose turn is not due yet costs nothing, unless the dispatcher was woken.
   */
  async function dispatch(stopping: AbortSignal): Promise<number | undefined> {
    const startedMs = performance.now()
    const areStatesOld = startedMs - statesReadMs >= intervalMs
    if (areStatesOld) await addIsolatedQueues()
    const reachable = queues.filter((name) => queue.isReady(name))
    if (reachable.length === 0) return
    const due = reachable.filter((name) => isWoken || startedMs >= progress(name).turnAtMs)
    isWoken = false
    if (areStatesOld) {
      states = await dispatchStore.statesOf([...queues])
      statesReadMs = startedMs
    }
    const idle: string[] = []
    for (const name of due) {
      if (stopping.aborted) return
      const turn = await takeTurn(name)
      if (turn === 'idle') idle.push(name)
      else progress(name).turnAtMs = performance.now() + pauseAfter(turn, progress(name))
    }
    if (idle.length > 0) await planIdle(idle)
    return Math.max(0, Math.min(...reachable.map((name) => progress(name).turnAtMs)) - performance.now())
  }

  function progress(name: string): QueueProgress {
    const known = progressOf.get(name) ?? { turnAtMs: 0, topUpMs: TOP_UP_MS, deliveries: 0 }
    progressOf.set(name, known)
    return known
  }

  /** An error in one queue must not delay the others. */
  async function takeTurn(name: string): Promise<Turn> {
    try {
      return states.paused.has(name) ? await holdBack(name) : await dispatchBatch(name)
    } catch (error) {
      events.emit('error.transient', { where: `dispatcher, queue ${name}`, error })
      return 'failed'
    }
  }

  function pauseAfter(turn: Exclude<Turn, 'idle'>, { topUpMs }: QueueProgress): number {
    return { more: 0, full: topUpMs, ended: AFTER_BACKLOG_MS, failed: intervalMs }[turn]
  }

  /** The next turn of idle queues is when the first of their tasks is due. */
  async function planIdle(names: string[]) {
    const ms = await dispatchStore.msUntilDue(names)
    // A task that is due and was not found is locked, for example by another dispatcher.
    const pauseMs = ms === null ? intervalMs : ms > 0 ? Math.max(ms, MIN_PAUSE_MS) : TOP_UP_MS
    const turnAtMs = performance.now() + Math.min(pauseMs, intervalMs)
    for (const name of names) progress(name).turnAtMs = turnAtMs
  }

  /** Sets the backlog flag of a paused queue, so that its new tasks wait in Postgres. Enqueues nothing. */
  async function holdBack(name: string): Promise<Turn> {
    if (!(await queue.readState(name)).hasBacklog) await queue.setBacklog(name, true)
    return 'idle'
  }

  async function dispatchBatch(name: string): Promise<Turn> {
    const { deliveries, maxDeliveries, hasBacklog } = await queue.readState(name)
    noteDeliveries(progress(name), deliveries)
    // Half of a small maximum: several dispatchers that fill the queue at the same time have room then.
    const topUp = Math.min(TOP_UP_DELIVERIES, Math.ceil(maxDeliveries / 2))
    const room = Math.max(0, (hasBacklog ? topUp : maxDeliveries) - deliveries) * MAX_REFERENCES
    const limit = Math.min(BATCH, room)
    const { count, isFromStart, isRefused } = await enqueueDue(name, limit)
    if (limit > 0 && count < limit && !isRefused) {
      if (!isFromStart) return 'more'
      // New tasks of a queue with limits wait in Postgres, from where they are held.
      if (states.limited.has(name)) {
        if (!hasBacklog) await queue.setBacklog(name, true)
        return 'full'
      }
      if (!hasBacklog) return 'idle'
      // No due task is left. Tasks that are committed from now on are enqueued by those who submit them.
      await queue.setBacklog(name, false)
      return 'ended'
    }
    if (!hasBacklog) await queue.setBacklog(name, true)
    return limit < room && !isRefused ? 'more' : 'full'
  }

  function noteDeliveries(known: QueueProgress, deliveries: number) {
    const isUnchanged = deliveries === known.deliveries
    known.topUpMs = isUnchanged ? Math.min(2 * known.topUpMs, MAX_TOP_UP_MS) : TOP_UP_MS
    known.deliveries = deliveries
  }

  /** Enqueues up to `limit` due tasks of a queue, from its cursor on, or from the oldest due task. */
  async function enqueueDue(
    name: string,
    limit: number,
  ): Promise<{ count: number; isFromStart: boolean; isRefused: boolean }> {
    const known = progress(name)
    const { cursor } = known
    const startedMs = performance.now()
    const isFromStart = cursor === undefined || startedMs >= cursor.restartAtMs
    if (limit === 0) return { count: 0, isFromStart, isRefused: false }
    // If the search from the start fails, the next one goes on from the cursor.
    if (cursor && isFromStart) cursor.restartAtMs = startedMs + RESTART_MS
    const tasks = await dispatchStore.markDueEnqueued(name, limit, isFromStart ? undefined : cursor.after)
    const after = tasks.at(-1)
    if (after && tasks.length === limit) {
      const nowMs = performance.now()
      const restartMs = Math.max(RESTART_MS, RESTART_PER_DURATION * (nowMs - startedMs))
      known.cursor = { after, restartAtMs: isFromStart ? nowMs + restartMs : cursor.restartAtMs }
    } else known.cursor = undefined
    const held = tasks.filter(({ isHeld }) => isHeld)
    if (held.length > 0) await holdAll(name, held)
    const plain = held.length > 0 ? tasks.filter(({ isHeld }) => !isHeld) : tasks
    const isRefused = plain.length > 0 && !(await enqueue(name, plain))
    return { count: tasks.length, isFromStart, isRefused }
  }

  /** Holds tasks that were just marked as enqueued. If that fails, clears the marks like `enqueue`. */
  async function holdAll(name: string, tasks: DueTask[]): Promise<void> {
    try {
      await hold(tasks)
    } catch (error) {
      progress(name).cursor = undefined
      await dispatchStore.clearEnqueued(tasks)
      throw error
    }
  }

  /**
   * Puts tasks into Redis that were just marked as enqueued in Postgres. If Redis fails or refuses them,
   * clears the marks, so that a later round enqueues the tasks.
   * @returns false if Redis refused them, because the queue is full
   * @throws the error of Redis
   */
  async function enqueue(name: string, tasks: DueTask[]): Promise<boolean> {
    const [{ enqueuedAtMs }] = tasks as [DueTask] // one statement has marked all of them
    let isEnqueued = false
    try {
      isEnqueued = await queue.enqueueMany(name, { references: tasks, enqueuedAtMs }, { isBacklog: true })
    } finally {
      if (isEnqueued) events.emit('tasks.enqueued', { reason: 'due', count: tasks.length })
      else {
        progress(name).cursor = undefined
        await dispatchStore.clearEnqueued(tasks)
      }
    }
    return isEnqueued
  }
}
