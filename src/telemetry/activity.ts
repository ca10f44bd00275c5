// Defines the statistics of the system: what is counted, the spans of time that are summed, and the buckets
// for durations. The counter, the store and the API share these definitions.
import type { TaskStatus } from '../definitions/task-status.ts'

/** The statuses after an attempt that are counted. RETRY: the attempt failed and another one follows. */
export const COUNTED_STATUSES = [
  'SUCCESS',
  'FAILURE',
  'CANCELLED',
  'RETRY',
] as const satisfies readonly TaskStatus[]
export type CountedStatus = (typeof COUNTED_STATUSES)[number]

/** `wait` and `run` are durations, counted per bucket; the others are plain counts. */
export type Measure = 'accepted' | CountedStatus | 'wait' | 'run'

export function isCounted(status: TaskStatus): status is CountedStatus {
  return (COUNTED_STATUSES as readonly TaskStatus[]).includes(status)
}

/** How often something happened around one point in time. */
export interface ActivitySum {
  /** Name of the definition. */
  name: string
  measure: Measure
  /** 0 for plain counts. */
  bucket: number
  count: number
  /** How long ago it happened, in milliseconds. */
  ageMs: number
}

/**
 * Every count is added to one span of each length. Short spans show details and are kept for hours; long
 * spans make reading a day as fast as reading five minutes.
 */
export const SPANS = [
  { widthSeconds: 10, keptSeconds: 2 * 3_600 },
  { widthSeconds: 60, keptSeconds: 26 * 3_600 },
  { widthSeconds: 600, keptSeconds: 8 * 86_400 },
] as const

// Every bucket's upper edge is 19 % (2^(1/4)) above the last. That is precise enough for percentiles, and a
// few durations make only a few rows.
const BUCKETS_PER_DOUBLING = 4
// The upper edge of the last bucket is 2^30 ms, more than twelve days.
const LAST_BUCKET = 120
export const BUCKETS = LAST_BUCKET + 1

/** Returns the bucket of a duration: bucket 0 up to one millisecond, then four buckets per doubling. */
export function bucketOf(ms: number): number {
  return ms > 1 ? Math.min(LAST_BUCKET, Math.ceil(BUCKETS_PER_DOUBLING * Math.log2(ms))) : 0
}

/**
 * Returns the duration in milliseconds that the given part (0 to 1) of all durations does not exceed; null if
 * nothing was counted. It is in the same bucket as the exact value: at most 19 % or one millisecond away.
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
