// Gauges of waiting and running tasks per queue, which are set from Postgres at every scrape. They count the
// tasks of the whole system, so every process reports the same values.
import { Gauge, type Registry } from 'prom-client'
import { pause } from '../base/loop.ts'

/** The tasks of one queue, counted in Postgres. */
export interface QueueDepth {
  name: string
  waiting: number
  running: number
  /** Waiting tasks that limits, a priority or an expiry hold. */
  held: number
  /** How long ago the oldest due task became due, in milliseconds; null if no task is due. */
  oldestWaitingMs: number | null
  pausedAt: Date | null
}

export interface QueueMetrics {
  /**
   * Sets the gauges from Postgres, or clears them if it does not respond within two seconds. Never rejects.
   */
  refresh(): Promise<void>
}

export interface QueueMetricsOptions {
  definitions: readonly { queue: string }[]
  /**
   * Called at every scrape. It should reuse the result of a recent query (`createSharedQuery` does), so that
   * frequent scrapes do not load Postgres.
   */
  summarizeQueues: () => Promise<QueueDepth[]>
  labelOfQueue: (queue: string) => string
}

// How long a scrape waits for Postgres. The default scrape timeout of Prometheus is ten seconds, and the
// other metrics must be returned well before, even if Postgres does not respond.
const QUERY_TIMEOUT_MS = 2_000

export function createQueueMetrics(registry: Registry, options: QueueMetricsOptions): QueueMetrics {
  const { definitions, summarizeQueues, labelOfQueue } = options
  const gauge = (name: string, help: string) =>
    // Every process reports the tasks of the whole system, so a supervisor must not sum these gauges.
    new Gauge({ name, help, labelNames: ['queue'], registers: [registry], aggregator: 'max' })
  const waiting = gauge('waggle_queue_waiting_tasks', 'Tasks that wait for a worker or until they are due.')
  const running = gauge('waggle_queue_running_tasks', 'Tasks that are running.')
  const held = gauge(
    'waggle_queue_held_tasks',
    'Waiting tasks with a limit, a priority or an expiry, which workers claim from Postgres.',
  )
  const oldest = gauge(
    'waggle_queue_oldest_waiting_seconds',
    'How long ago the oldest due task became due; 0 if no task is due.',
  )
  const paused = gauge('waggle_queue_paused', '1 while the queue is paused, otherwise 0.')

  return {
    async refresh() {
      const depths = await within(
        QUERY_TIMEOUT_MS,
        summarizeQueues().catch(() => null),
      )
      for (const each of [waiting, running, held, oldest, paused]) each.reset()
      if (depths === null) return
      for (const [queue, depth] of byLabel(depths)) {
        waiting.set({ queue }, depth.waiting)
        running.set({ queue }, depth.running)
        held.set({ queue }, depth.held)
        oldest.set({ queue }, (depth.oldestWaitingMs ?? 0) / 1_000)
        paused.set({ queue }, depth.pausedAt === null ? 0 : 1)
      }
    },
  }

  function byLabel(depths: QueueDepth[]): Map<string, Depth> {
    const summed = new Map<string, Depth>()
    // Adds zeros for the queues of all definitions, because Postgres returns no row for an empty queue.
    for (const depth of [...definitions.map(({ queue }) => ({ name: queue, ...EMPTY })), ...depths]) {
      const label = labelOfQueue(depth.name)
      summed.set(label, sum(summed.get(label) ?? EMPTY, depth))
    }
    return summed
  }
}

type Depth = Omit<QueueDepth, 'name'>

const EMPTY: Depth = { waiting: 0, running: 0, held: 0, oldestWaitingMs: null, pausedAt: null }

/** Combines two values for the same label: adds up the counts, and keeps the longest wait. */
function sum(one: Depth, other: Depth): Depth {
  return {
    waiting: one.waiting + other.waiting,
    running: one.running + other.running,
    held: one.held + other.held,
    oldestWaitingMs: Math.max(one.oldestWaitingMs ?? 0, other.oldestWaitingMs ?? 0),
    pausedAt: one.pausedAt ?? other.pausedAt,
  }
}

/** Resolves with the value of the promise, or with null if it takes longer than `ms` milliseconds. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T | null> {
  const done = new AbortController()
  const first = await Promise.race([promise, pause(ms, done.signal).then(() => null)])
  done.abort()
  return first
}
