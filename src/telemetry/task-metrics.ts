// Metrics of tasks and attempts. At more than ten thousand tasks per second every lookup costs time. So the
// metrics of each label are cached, and consecutive tasks of one definition and queue are counted together.
import { Counter, Histogram, type Registry } from 'prom-client'
import type { TaskStatus } from '../definitions/task-status.ts'
import { OTHER } from './bounded-labels.ts'
import type { Events } from './events.ts'

export interface TaskLabels {
  ofName: (name: string) => string
  ofQueue: (queue: string) => string
}

export function countTasks(
  events: Events,
  registry: Registry,
  definitions: readonly { name: string; queue: string }[],
  labels: TaskLabels,
): void {
  const accepted = countAccepted(registry, labels)
  const attemptsOf = createAttemptMetrics(registry, labels)
  // Creates all counters with the value zero, because `rate()` in Prometheus does not see the increment with
  // which a series begins.
  for (const { name, queue } of definitions) {
    accepted([{ name, queue }], 0)
    attemptsOf(name)
  }

  events.on('tasks.accepted', ({ tasks }) => accepted(tasks))
  events.on('task.started', ({ name, waitMs }) => {
    const { started, wait } = attemptsOf(name)
    started.inc()
    wait.observe(waitMs / 1_000)
  })
  events.on('task.finished', ({ name, status, runMs }) => {
    const { finished, run } = attemptsOf(name)
    finished[status].inc()
    run.observe(runMs / 1_000)
  })
  // Counts the end of a lost attempt, because its missing worker has not emitted `task.finished`. Otherwise
  // there would be more started than finished attempts.
  events.on('attempt.lost', ({ name, status }) => {
    const { finished, lost } = attemptsOf(name)
    finished[status].inc()
    lost.inc()
  })
  measureBlocks(events, registry, labels)
  events.on('task.refused', ({ name }) => attemptsOf(name).refused.inc())
}

// Histogram buckets of blocks, in seconds. Shorter blocks than one second are not reported.
const BLOCK_BUCKETS = [1, 2.5, 5, 10, 30, 60, 300]

function measureBlocks(events: Events, registry: Registry, { ofName }: TaskLabels): void {
  const blocked = new Histogram({
    name: 'waggle_event_loop_blocked_seconds',
    help: 'How long attempts blocked the event loop of their worker; "other" if no running attempt did.',
    labelNames: ['name'],
    buckets: BLOCK_BUCKETS,
    registers: [registry],
  })
  events.on('loop.blocked', ({ name = OTHER, ms }) => blocked.observe({ name: ofName(name) }, ms / 1_000))
}

type Accepted = readonly { name: string; queue: string }[]

function countAccepted(registry: Registry, { ofName, ofQueue }: TaskLabels) {
  const counter = new Counter({
    name: 'waggle_tasks_accepted_total',
    help: 'Tasks that were committed, by definition and queue.',
    labelNames: ['name', 'queue'],
    registers: [registry],
  })
  return (tasks: Accepted, each = 1) => {
    let count = 0
    for (const [index, { name, queue }] of tasks.entries()) {
      count++
      const next = tasks[index + 1]
      if (next?.name === name && next.queue === queue) continue
      counter.inc({ name: ofName(name), queue: ofQueue(queue) }, count * each)
      count = 0
    }
  }
}

interface AttemptMetrics {
  started: Counter.Internal
  finished: Record<TaskStatus, Counter.Internal>
  lost: Counter.Internal
  refused: Counter.Internal
  wait: Histogram.Internal<string>
  run: Histogram.Internal<string>
}

// Histogram buckets of waiting and running times, in seconds: from a task that an idle worker claims
// immediately to one that waits for an hour behind a backlog.
const BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600,
]

/** Creates the metrics of attempts. The returned function finds the metrics of a definition by its name. */
function createAttemptMetrics(registry: Registry, { ofName }: TaskLabels): (name: string) => AttemptMetrics {
  const counterOf = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Counter({ name, help, labelNames, registers: [registry] })
  const histogramOf = (name: string, help: string) =>
    new Histogram({ name, help, labelNames: ['name'], buckets: BUCKETS, registers: [registry] })
  const started = counterOf('waggle_tasks_started_total', 'Attempts that were started.', ['name'])
  const finished = counterOf(
    'waggle_tasks_finished_total',
    'Attempts that ended, by the new status of their task: RETRY if another attempt follows, PENDING after a shutdown.',
    ['name', 'status'],
  )
  const lost = counterOf(
    'waggle_attempts_lost_total',
    'Attempts that ended because their worker was missing.',
    ['name'],
  )
  const refused = counterOf(
    'waggle_results_refused_total',
    'Results that were rejected because their attempt was no longer the current one of the task.',
    ['name'],
  )
  const wait = histogramOf(
    'waggle_task_wait_seconds',
    'Time from when an attempt was due (submission, requested start time or end of a retry delay) to its start.',
  )
  const run = histogramOf('waggle_task_run_seconds', 'Time from the start of a handler until it returned.')

  const known = new Map<string, AttemptMetrics>()
  return (name) => {
    const label = ofName(name)
    const metrics = known.get(label) ?? metricsOf(label)
    known.set(label, metrics)
    return metrics
  }

  function metricsOf(name: string): AttemptMetrics {
    const endedAs = (status: TaskStatus) => zeroed(finished.labels(name, status))
    return {
      started: zeroed(started.labels(name)),
      finished: {
        PENDING: endedAs('PENDING'),
        STARTED: finished.labels(name, 'STARTED'),
        RETRY: endedAs('RETRY'),
        SUCCESS: endedAs('SUCCESS'),
        FAILURE: endedAs('FAILURE'),
        CANCELLED: endedAs('CANCELLED'),
      },
      lost: zeroed(lost.labels(name)),
      refused: zeroed(refused.labels(name)),
      wait: wait.labels(name),
      run: run.labels(name),
    }
  }
}

function zeroed(counter: Counter.Internal): Counter.Internal {
  counter.inc(0)
  return counter
}
