// Metrics for Prometheus, counted from what the core announces. One registry per process, and nothing global about it.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { boundedLabels, OTHER } from './bounded-labels.ts'
import type { Events, SlotCount } from './events.ts'
import { createQueueMetrics, type QueueDepth } from './queue-metrics.ts'
import { countTasks } from './task-metrics.ts'

export interface Metrics {
  contentType: string
  /** All of them in the text format, within two seconds; the queues are missing while Postgres is away. */
  render(): Promise<string>
}

export interface MetricsOptions {
  /** What this version of the code can run: each has its own label, and whatever else there may be shares one. */
  definitions: readonly { name: string; queue: string }[]
  /** Reads from Postgres what waits and what runs. */
  summarizeQueues: () => Promise<QueueDepth[]>
}

/**
 * Begins to listen, so it comes before the app and the worker. Ends with the process or its events: nothing here keeps a
 * process alive, and what prom-client observes of it cannot be let go of.
 */
export function createMetrics(events: Events, { definitions, summarizeQueues }: MetricsOptions): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
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
  }
}

// Whoever submits a task may name any queue. More than these share one label.
const MAX_QUEUES = 100

// A read with `?wait=` may well take a minute.
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
    help: 'How long requests took, by the pattern of their route; "none" where there is none.',
    labelNames: ['method', 'route', 'status'],
    buckets: REQUEST_BUCKETS,
    registers: [registry],
  })
  // The few that a route has are sooner looked through than a key is made of all three.
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
    help: 'How many items were written together in one statement.',
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
    help: 'Bells that could not be rung because Redis was away; they are rung when it is back.',
    registers: [registry],
  })
  const rungAgain = new Counter({
    name: 'waggle_tasks_enqueued_by_workers_total',
    help: 'Bells rung by a worker: "due" when a time had come, "unheard" when the first had been lost.',
    labelNames: ['reason'],
    registers: [registry],
  })
  const replaced = new Counter({
    name: 'waggle_consumers_replaced_total',
    help: 'Consumers that took nothing although something waited and a slot was free.',
    registers: [registry],
  })
  events.on('enqueue.failed', ({ count }) => failed.inc(count))
  events.on('tasks.enqueued', ({ reason, count }) => rungAgain.inc({ reason }, count))
  events.on('worker.stuck', () => replaced.inc())
}

/** Without a label for the worker: there is one in a process, and its id is another one after every restart. */
function showSlots(events: Events, registry: Registry): void {
  const slotsOf = new Map<string, SlotCount>()
  const sum = (count: (slots: SlotCount) => number) =>
    [...slotsOf.values()].reduce((total, slots) => total + count(slots), 0)
  const show = (name: string, help: string, count: (slots: SlotCount) => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(sum(count))
      },
    })

  events.on('worker.started', ({ workerId, slots }) => {
    // A process without a worker has no slots to show, not even none.
    if (!registry.getSingleMetric('waggle_worker_slots')) {
      show('waggle_worker_slots', 'How many tasks the worker can run at once.', ({ capacity }) => capacity)
      show(
        'waggle_worker_slots_used',
        'How many of its slots are taken.',
        ({ capacity, free }) => capacity - free,
      )
    }
    slotsOf.set(workerId, slots)
  })
  events.on('worker.stopped', ({ workerId }) => slotsOf.delete(workerId))
}
