// What waits and what runs, by queue. Only Postgres knows, so it is looked up when somebody reads. The figures are of the
// whole system, and the same from every process.
import { Gauge, type Registry } from 'prom-client'
import { pause } from '../base/loop.ts'

/** One queue as Postgres has it. */
export interface QueueDepth {
  name: string
  waiting: number
  running: number
  /** By how much the task that has been due for longest is late, in milliseconds; null when none is due. */
  oldestWaitingMs: number | null
  pausedAt: Date | null
}

export interface QueueMetrics {
  /** Sets the gauges, or takes them away while Postgres does not answer. Two seconds at most; never rejects. */
  refresh(): Promise<void>
}

export interface QueueMetricsOptions {
  definitions: readonly { queue: string }[]
  /** Asked at every reading: whoever gives it sees to it that one look serves many. */
  summarizeQueues: () => Promise<QueueDepth[]>
  labelOfQueue: (queue: string) => string
}

// Prometheus gives up after ten seconds unless told otherwise; everything else must be there long before.
const PATIENCE_MS = 2_000

export function createQueueMetrics(registry: Registry, options: QueueMetricsOptions): QueueMetrics {
  const { definitions, summarizeQueues, labelOfQueue } = options
  const gauge = (name: string, help: string) =>
    new Gauge({ name, help, labelNames: ['queue'], registers: [registry] })
  const waiting = gauge('waggle_queue_waiting_tasks', 'Tasks that wait, for a worker or for their time.')
  const running = gauge('waggle_queue_running_tasks', 'Tasks that run.')
  const oldest = gauge(
    'waggle_queue_oldest_waiting_seconds',
    'How late the task is that has been due for longest; 0 when none is due.',
  )
  const paused = gauge('waggle_queue_paused', '1 while nothing of the queue is started.')

  return {
    async refresh() {
      const depths = await within(
        PATIENCE_MS,
        summarizeQueues().catch(() => null),
      )
      for (const each of [waiting, running, oldest, paused]) each.reset()
      if (depths === null) return
      for (const [queue, depth] of byLabel(depths)) {
        waiting.set({ queue }, depth.waiting)
        running.set({ queue }, depth.running)
        oldest.set({ queue }, (depth.oldestWaitingMs ?? 0) / 1_000)
        paused.set({ queue }, depth.pausedAt === null ? 0 : 1)
      }
    },
  }

  function byLabel(depths: QueueDepth[]): Map<string, Depth> {
    const summed = new Map<string, Depth>()
    // A queue with nothing in it is not in the tables, but it is empty and not unknown.
    for (const depth of [...definitions.map(({ queue }) => ({ name: queue, ...EMPTY })), ...depths]) {
      const label = labelOfQueue(depth.name)
      summed.set(label, sum(summed.get(label) ?? EMPTY, depth))
    }
    return summed
  }
}

type Depth = Omit<QueueDepth, 'name'>

const EMPTY: Depth = { waiting: 0, running: 0, oldestWaitingMs: null, pausedAt: null }

/** Of queues that share a label. */
function sum(one: Depth, other: Depth): Depth {
  return {
    waiting: one.waiting + other.waiting,
    running: one.running + other.running,
    oldestWaitingMs: Math.max(one.oldestWaitingMs ?? 0, other.oldestWaitingMs ?? 0),
    pausedAt: one.pausedAt ?? other.pausedAt,
  }
}

/** null when it takes longer. */
async function within<T>(ms: number, answer: Promise<T>): Promise<T | null> {
  const done = new AbortController()
  const first = await Promise.race([answer, pause(ms, done.signal).then(() => null)])
  done.abort()
  return first
}
