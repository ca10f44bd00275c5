// What is counted of what happens, in how wide spans, and the scale on which times are counted: known to those who count
// and to those who read.
import type { TaskStatus } from '../definitions/task-status.ts'

/** What an attempt can end in that counts: RETRY is one that failed and is tried again. */
export const COUNTED_STATUSES = [
  'SUCCESS',
  'FAILURE',
  'CANCELLED',
  'RETRY',
] as const satisfies readonly TaskStatus[]
export type CountedStatus = (typeof COUNTED_STATUSES)[number]

/** `wait` and `run` are times, in buckets; the others are only counted. */
export type Measure = 'accepted' | CountedStatus | 'wait' | 'run'

export function isCounted(status: TaskStatus): status is CountedStatus {
  return (COUNTED_STATUSES as readonly TaskStatus[]).includes(status)
}

/** How often something happened, lately and at one time. */
export interface ActivitySum {
  /** Of the definition. */
  name: string
  measure: Measure
  /** 0 for what is only counted. */
  bucket: number
  count: number
  /** How long ago. */
  ageMs: number
}

/**
 * Everything is summed in spans of all these lengths, and kept for so long: what is looked at closely is looked at soon,
 * and a day is as quickly read as five minutes.
 */
export const SPANS = [
  { widthSeconds: 10, keptSeconds: 2 * 3_600 },
  { widthSeconds: 60, keptSeconds: 26 * 3_600 },
  { widthSeconds: 600, keptSeconds: 8 * 86_400 },
] as const

// Every edge is 19 % beyond the last: as near as a percentile needs to be, and a handful of rows for a handful of times.
const BUCKETS_PER_DOUBLING = 4
// Beyond a week.
const LAST_BUCKET = 120
export const BUCKETS = LAST_BUCKET + 1

/** The bucket of a time: 0 up to a millisecond, then four for every doubling. */
export function bucketOf(ms: number): number {
  return ms > 1 ? Math.min(LAST_BUCKET, Math.ceil(BUCKETS_PER_DOUBLING * Math.log2(ms))) : 0
}

/**
 * The time that this part (0 to 1) of all times does not exceed, in milliseconds; null where there are none. It lies in the
 * bucket of the true one: at most 19 % away from it, or a millisecond.
 * @param counts by bucket
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
