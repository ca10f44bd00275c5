// Builds the statistics of a time window from pre-aggregated sums: totals, a value for each step (a part of
// the window of fixed length), and figures per definition.
import type { z } from 'zod'
import type { ActivityWindow } from '../../store/activity-store.ts'
import type { QueueSummary } from '../../store/queue-store.ts'
import { type CountedStatus, type Measure, quantileOf } from '../../telemetry/activity.ts'
import type { statistics } from './system-schemas.ts'

export type StatisticsView = z.infer<typeof statistics>

/**
 * Builds the response of GET /v1/stats.
 * @param activity numbers of events (task accepted, failed, …) in the last `windowSeconds`
 * @param queues current state of all queues, for the numbers of tasks that wait or run now
 */
export function statisticsOf(
  activity: ActivityWindow,
  queues: QueueSummary[],
  windowSeconds: number,
): StatisticsView {
  const { atMs, stepSeconds, startsAtMs, bySteps, byNames, endedByNamesAndSteps } = activity
  const total = tallyOf(byNames)
  const steps = startsAtMs.map(createTally)
  for (const { step, measure, bucket, count } of bySteps) {
    const tally = steps[step]
    if (tally) add(tally, measure, bucket, count)
  }
  const oldestMs = queues.flatMap(({ oldestWaitingMs }) =>
    oldestWaitingMs === null ? [] : [oldestWaitingMs],
  )
  const elapsedSeconds = Math.max(1, (atMs - (startsAtMs[0] ?? atMs)) / 1_000)
  return {
    window_seconds: windowSeconds,
    at: new Date(atMs).toISOString(),
    by_status: {
      PENDING: sumOf(queues, ({ waiting, retrying }) => waiting - retrying),
      STARTED: sumOf(queues, ({ running }) => running),
      RETRY: sumOf(queues, ({ retrying }) => retrying),
      SUCCESS: total.SUCCESS,
      FAILURE: total.FAILURE,
      CANCELLED: total.CANCELLED,
    },
    waiting: sumOf(queues, ({ waiting }) => waiting),
    running: sumOf(queues, ({ running }) => running),
    oldest_waiting_seconds: oldestMs.length === 0 ? null : Math.max(...oldestMs) / 1_000,
    accepted: total.accepted,
    throughput_per_second: rounded(endedIn(total) / elapsedSeconds),
    failure_rate: failureRateOf(total),
    wait_ms: percentilesOf(total.wait),
    run_ms: percentilesOf(total.run),
    series: {
      step_seconds: stepSeconds,
      starts_at: startsAtMs.map((ms) => new Date(ms).toISOString()),
      accepted: steps.map(({ accepted }) => accepted),
      succeeded: steps.map(({ SUCCESS }) => SUCCESS),
      failed: steps.map(({ FAILURE }) => FAILURE),
      cancelled: steps.map(({ CANCELLED }) => CANCELLED),
      retried: steps.map(({ RETRY }) => RETRY),
      wait_p95_ms: steps.map(({ wait }) => percentile(wait, 0.95)),
      run_p95_ms: steps.map(({ run }) => percentile(run, 0.95)),
    },
    definitions: [...Map.groupBy(byNames, ({ name }) => name)]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, ofName]) => {
        const ended = new Map(
          endedByNamesAndSteps.filter((sum) => sum.name === name).map(({ step, count }) => [step, count]),
        )
        return definitionOf(
          name,
          tallyOf(ofName),
          startsAtMs.map((_, step) => ended.get(step) ?? 0),
        )
      }),
  }
}

function definitionOf(name: string, tally: Tally, series: number[]): StatisticsView['definitions'][number] {
  return {
    name,
    accepted: tally.accepted,
    succeeded: tally.SUCCESS,
    failed: tally.FAILURE,
    cancelled: tally.CANCELLED,
    retried: tally.RETRY,
    failure_rate: failureRateOf(tally),
    wait_p95_ms: percentile(tally.wait, 0.95),
    run_p50_ms: percentile(tally.run, 0.5),
    run_p95_ms: percentile(tally.run, 0.95),
    series,
  }
}

type Tally = Record<'accepted' | CountedStatus, number> & Record<'wait' | 'run', Map<number, number>>

function createTally(): Tally {
  return { accepted: 0, SUCCESS: 0, FAILURE: 0, CANCELLED: 0, RETRY: 0, wait: new Map(), run: new Map() }
}

function tallyOf(sums: ActivityWindow['byNames']): Tally {
  const tally = createTally()
  for (const { measure, bucket, count } of sums) add(tally, measure, bucket, count)
  return tally
}

function add(tally: Tally, measure: Measure, bucket: number, count: number) {
  if (measure === 'wait' || measure === 'run')
    tally[measure].set(bucket, (tally[measure].get(bucket) ?? 0) + count)
  else tally[measure] += count
}

function endedIn({ SUCCESS, FAILURE, CANCELLED }: Tally): number {
  return SUCCESS + FAILURE + CANCELLED
}

/** Returns the share (0 to 1) of FAILURE among the tasks that succeeded or failed; null if there are none. */
function failureRateOf({ SUCCESS, FAILURE }: Tally): number | null {
  return SUCCESS + FAILURE === 0 ? null : rounded(FAILURE / (SUCCESS + FAILURE))
}

function percentilesOf(buckets: Map<number, number>) {
  return { p50: percentile(buckets, 0.5), p95: percentile(buckets, 0.95), p99: percentile(buckets, 0.99) }
}

function percentile(buckets: Map<number, number>, part: number): number | null {
  const ms = quantileOf(buckets, part)
  return ms === null ? null : rounded(ms)
}

// Rounds to four significant digits. More digits would suggest an accuracy that the figures do not have.
function rounded(value: number): number {
  return Number(value.toPrecision(4))
}

function sumOf(queues: QueueSummary[], count: (queue: QueueSummary) => number): number {
  return queues.reduce((sum, queue) => sum + count(queue), 0)
}
