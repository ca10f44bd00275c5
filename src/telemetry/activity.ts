// Defines the statistics of the system: which events are counted, the lengths of the time spans for which
// they are counted, and the histogram buckets for durations. The counter, the store and the API share these
// definitions.
import type { TaskStatus } from '../definitions/task-status.ts'

/** Statuses for which ended attempts are counted. RETRY: the attempt failed and another one follows. */
export const COUNTED_STATUSES = [
  'SUCCESS',
  'FAILURE',
  'CANCELLED',
  'RETRY',
] as const satisfies readonly TaskStatus[]
export type CountedStatus = (typeof COUNTED_STATUSES)[number]

/**
 * Kinds of events that are counted. `wait` and `run` are durations, counted per histogram bucket; all others
 * are plain counts.
 */
export type Measure = 'accepted' | CountedStatus | 'wait' | 'run'

export function isCounted(status: TaskStatus): status is CountedStatus {
  return (COUNTED_STATUSES as readonly TaskStatus[]).includes(status)
}

/**
 * How many events of one kind (`measure`) and definition a process has counted since it last wrote its
 * counts.
 */
export interface ActivitySum {
  /** Name of the task definition. */
  name: string
  measure: Measure
  /** Histogram bucket (see `bucketOf`) if durations were counted; otherwise 0. */
  bucket: number
  count: number
  /**
   * How long ago this count was collected, in milliseconds: nearly 0, or more if an earlier write of it has
   * failed. Postgres subtracts it from its own clock to find the time span to which the count is added.
   */
  ageMs: number
}

/**
 * Lengths of the time spans for which events are counted; each event is counted in one span of every length.
 * Short spans show details and are kept for hours; with long spans a day is read as fast as five minutes.
 */
export const SPANS = [
  { widthSeconds: 10, keptSeconds: 2 * 3_600 },
  { widthSeconds: 60, keptSeconds: 26 * 3_600 },
  { widthSeconds: 600, keptSeconds: 8 * 86_400 },
] as const

// Number of duration buckets per doubling: the upper edge of each bucket is 19 % (2^(1/4)) above the previous
// one. That is precise enough for percentiles, and similar durations share a bucket, so that there are few
// rows in Postgres.
const BUCKETS_PER_DOUBLING = 4
// Index of the last bucket. Its upper edge is 2^30 ms, more than twelve days; longer durations are in it too.
const LAST_BUCKET = 120
export const BUCKETS = LAST_BUCKET + 1

/** Returns the bucket of a duration in milliseconds: 0 up to one millisecond, then four per doubling. */
export function bucketOf(ms: number): number {
  return ms > 1 ? Math.min(LAST_BUCKET, Math.ceil(BUCKETS_PER_DOUBLING * Math.log2(ms))) : 0
}

/**
 * Returns a percentile: the duration in milliseconds that the given part (0 to 1) of all durations does not
 * exceed; null if nothing was counted. It is in the same bucket as the exact value: at most 19 % or one
 * millisecond away.
 * @param counts how many durations are in each bucket
 */
export function quantileOf(counts: ReadonlyMap<number, number>, part: number): number | null {
  let total = 0
  for (const count of counts.values()) total += count
  if (total === 0) return null
  let below = 0
  for (const [bucket, count] of [...counts].sort(([a], [b]) => a - b)) {
    if (below + count >= part * total) return within(bucket, (part * total - below) / count)
    below += count
  }
  return upperEdge(LAST_BUCKET)
}

function within(bucket: number, fraction: number): number {
  if (bucket === 0) return fraction
  return upperEdge(bucket - 1) * 2 ** (fraction / BUCKETS_PER_DOUBLING)
}

function upperEdge(bucket: number): number {
  return 2 ** (bucket / BUCKETS_PER_DOUBLING)
}
