// Metrics for Prometheus, derived from events. They are kept in a separate registry, not in prom-client's
// global one.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { boundedLabels, OTHER } from './bounded-labels.ts'
import type { Events, SlotCount } from './events.ts'
import { countersOf, type MetricsSnapshot, readSnapshot } from './metrics-of-processes.ts'
import { createQueueMetrics, type QueueDepth } from './queue-metrics.ts'
import { countTasks } from './task-metrics.ts'

export interface Metrics extends RenderedMetrics {
  /** Returns all metrics, for a supervisor that combines them with those of other processes. */
  snapshot(): Promise<MetricsSnapshot>
  /** Returns the counters and histograms, which are kept when the process ends. Queries nothing. */
  counters(): Promise<MetricsSnapshot>
}

/** What `GET /metrics` serves: the metrics of this process, or of all processes of a supervisor. */
export interface RenderedMetrics {
  contentType: string
  /**
   * Returns all metrics in Prometheus's text format. The metrics of queues are left out if Postgres does not
   * return them within two seconds.
   */
  render(): Promise<string>
}

export interface MetricsOptions {
  /** Definitions of this version of the code. Their names are labels; all other names share `other`. */
  definitions: readonly { name: string; queue: string }[]
  /** Counts the waiting and running tasks of each queue in Postgres. It is called at every scrape. */
  summarizeQueues: () => Promise<QueueDepth[]>
  /** Whether the metrics of the process itself are included; true by default. */
  hasProcessMetrics?: boolean
}

/**
 * Creates the metrics and listens to the events. Call it before the app and the worker are created, so that
 * no event is missed. There is no `stop`: nothing here keeps the process alive, and the default observers of
 * prom-client cannot be removed.
 */
export function createMetrics(events: Events, options: MetricsOptions): Metrics {
  const { definitions, summarizeQueues, hasProcessMetrics = true } = options
  const registry = new Registry()
  if (hasProcessMetrics) collectDefaultMetrics({ register: registry })
  const labelOfQueue = boundedLabels(
    definitions.map(({ queue }) => queue),
    MAX_QUEUES,
  )
  countTasks(events, registry, definitions, {
    ofName: boundedLabels(definitions.map(({ name }) => name)),
    ofQueue: labelOfQueue,
  })
  measureRequests(events, registry)
  measureBatches(events, registry)
  countEnqueues(events, registry)
  showSlots(events, registry)
  const queues = createQueueMetrics(registry, { definitions, summarizeQueues, labelOfQueue })

  return {
    contentType: registry.contentType,
    async render() {
      await queues.refresh()
      return registry.metrics()
    },
    async snapshot() {
      await queues.refresh()
      return readSnapshot(registry)
    },
    counters: async () => countersOf(await readSnapshot(registry)),
  }
}

// How many queue names that no task definition uses have a label of their own. Clients may submit to queues
// of any name; all further names share the label `other`.
const MAX_QUEUES = 100

// Histogram buckets of request durations, in seconds. A request with `?wait=` can take nearly a minute.
const REQUEST_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60]
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

interface Measured {
  method: string
  status: number
  durations: Histogram.Internal<string>
}

function measureRequests(events: Events, registry: Registry): void {
  const durations = new Histogram({
    name: 'waggle_http_request_duration_seconds',
    help: 'Duration of HTTP requests by method, route pattern and status; the route is "none" if none matched.',
    labelNames: ['method', 'route', 'status'],
    buckets: REQUEST_BUCKETS,
    registers: [registry],
  })
  // Caches the histogram of each route, method and status. A route has few combinations of method and status,
  // so searching a list of them is faster than building a combined key.
  const known = new Map<string, Measured[]>()
  events.on('request.finished', ({ method: verb, route, status, ms }) => {
    const method = METHODS.has(verb) ? verb : OTHER
    const ofRoute = known.get(route) ?? []
    let measured = ofRoute.find((each) => each.status === status && each.method === method)
    if (!measured) {
      measured = { method, status, durations: durations.labels(method, route, String(status)) }
      known.set(route, [...ofRoute, measured])
    }
    measured.durations.observe(ms / 1_000)
  })
}

function measureBatches(events: Events, registry: Registry): void {
  const sizes = new Histogram({
    name: 'waggle_commit_batch_size',
    help: 'Number of items written together in one statement.',
    labelNames: ['kind'],
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500],
    registers: [registry],
  })
  const byKind = {
    submissions: sizes.labels('submissions'),
    claims: sizes.labels('claims'),
    results: sizes.labels('results'),
  }
  events.on('batch.written', ({ kind, size }) => byKind[kind].observe(size))
}

function countEnqueues(events: Events, registry: Registry): void {
  const failed = new Counter({
    name: 'waggle_enqueue_failures_total',
    help: 'Task references that could not be put into Redis. Workers enqueue them when Redis is available again.',
    registers: [registry],
  })
  const enqueuedByWorkers = new Counter({
    name: 'waggle_tasks_enqueued_by_workers_total',
    help: 'Tasks enqueued by a worker: "due" if their time had come, "lost" if their delivery was lost.',
    labelNames: ['reason'],
    registers: [registry],
  })
  const replaced = new Counter({
    name: 'waggle_consumers_replaced_total',
    help: 'Consumers that were replaced because they fetched nothing while a delivery waited and a slot was free.',
    registers: [registry],
  })
  const ticks = new Counter({
    name: 'waggle_schedule_ticks_total',
    help: 'Ticks of schedules: "made" if the tick has made a task, "skipped" if not (missed, overlap, unique).',
    labelNames: ['outcome'],
    registers: [registry],
  })
  events.on('schedule.ticked', ({ made, skipped }) => {
    ticks.inc({ outcome: 'made' }, made)
    ticks.inc({ outcome: 'skipped' }, skipped)
  })
  events.on('enqueue.failed', ({ count }) => failed.inc(count))
  events.on('tasks.enqueued', ({ reason, count }) => enqueuedByWorkers.inc({ reason }, count))
  events.on('worker.stuck', () => replaced.inc())
}

/**
 * Exports the capacity and the used slots of the worker. The gauges have no label for the worker, because a
 * process has one worker, and its id changes at every restart.
 */
function showSlots(events: Events, registry: Registry): void {
  const slotsOf = new Map<string, WorkerSlots>()
  const show = (name: string, help: string, count: (each: WorkerSlots) => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set([...slotsOf.values()].reduce((total, each) => total + count(each), 0))
      },
    })

  events.on('worker.started', ({ workerId, slots, isolatedSlots }) => {
    // Registers the gauges when the worker starts, so that processes without a worker do not report zero
    // slots.
    if (!registry.getSingleMetric('waggle_worker_slots'))
      for (const [name, help, count] of SLOT_GAUGES) show(name, help, count)
    slotsOf.set(workerId, { slots, isolatedSlots })
  })
  events.on('worker.stopped', ({ workerId }) => slotsOf.delete(workerId))
}

interface WorkerSlots {
  slots: SlotCount
  isolatedSlots: SlotCount
}

const SLOT_GAUGES: [name: string, help: string, count: (each: WorkerSlots) => number][] = [
  [
    'waggle_worker_slots',
    'How many tasks the worker can run at the same time in its own process.',
    ({ slots: { capacity } }) => capacity,
  ],
  [
    'waggle_worker_slots_used',
    'How many slots of the worker are in use.',
    ({ slots: { capacity, free } }) => capacity - free,
  ],
  [
    'waggle_worker_slots_leaked',
    'How many of the used slots are leaked: their handlers run on although their attempts have ended.',
    ({ slots: { leaked } }) => leaked,
  ],
  [
    'waggle_isolated_processes',
    'How many isolated processes the worker may have. Each runs one task at a time.',
    ({ isolatedSlots: { capacity } }) => capacity,
  ],
  [
    'waggle_isolated_processes_used',
    'How many isolated processes run a task.',
    ({ isolatedSlots: { capacity, free } }) => capacity - free,
  ],
]
