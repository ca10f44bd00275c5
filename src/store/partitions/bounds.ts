// Decides where the partitions of the tables of tasks begin and end. A task belongs to the partition that
// contains the time in its id, which is the time of its submission.

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/**
 * A task that ended later than this after its submission is in the index `tasks_late`, in milliseconds. All
 * tasks of a partition that has been over for this time are in that index, unless they have ended before.
 */
export const LATE_MS = HOUR_MS

/** A partition contains the ids of the times from `fromMs` to `toMs` (exclusive), in ms since 1970. */
export interface Range {
  /** Null for the oldest partition, which has no lower bound. */
  fromMs: number | null
  /** Null for the newest partition, which has no upper bound. */
  toMs: number | null
}

// Widths from which `widthFor` chooses. All are multiples of an hour, so that a name can contain the bound.
const WIDTHS_MS = [
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR_MS),
  ...[1, 2, 4, 7, 14, 28, 56].map((days) => days * DAY_MS),
]
// Width for tasks that are kept forever: 40 partitions last for ten years.
const WIDEST_MS = 91 * DAY_MS
// Maximum number of partitions that contain kept tasks. With the partitions that are made ahead and the two
// open ones there are about 50. More would make every statement slower, because it opens all of them.
const MAX_KEPT = 40
// Partitions are made this long ahead, so that a week without a worker changes nothing.
const AHEAD_MS = 7 * DAY_MS
// Maximum number of partitions that are made ahead, for narrow ones.
const MAX_AHEAD = 8

/**
 * Returns the width of new partitions, in milliseconds.
 * @param keptMs how long tasks are kept after their end; undefined: forever
 */
export function widthFor(keptMs: number | undefined): number {
  if (keptMs === undefined) return WIDEST_MS
  return WIDTHS_MS.find((widthMs) => keptMs / widthMs <= MAX_KEPT) ?? WIDEST_MS
}

/**
 * Returns the bounds at which the newest partition has to be divided, in ascending order; none if partitions
 * reach far enough ahead.
 * @param newest the partition without an upper bound
 * @param newestTaskMs time in the highest id in that partition; null if it is empty
 */
export function boundsAhead(
  newest: Range,
  newestTaskMs: number | null,
  nowMs: number,
  widthMs: number,
): number[] {
  const aheadMs = nowMs + Math.min(AHEAD_MS, MAX_AHEAD * widthMs)
  const fromMs = newest.fromMs ?? Number.NEGATIVE_INFINITY
  if (fromMs > aheadMs) return []
  const next = (ms: number) => Math.floor(ms / widthMs) * widthMs + widthMs
  // No task may have an id above the first bound. A process whose clock is ahead may have submitted some, and
  // while the partition is divided, more are submitted.
  if (newestTaskMs !== null) return [next(Math.max(newestTaskMs, aheadMs))]
  // After a long time without a worker the first new partition is wider than the others.
  const firstMs = next(Math.max(fromMs, nowMs - widthMs))
  const bounds: number[] = []
  for (let ms = firstMs; bounds.length === 0 || (bounds.at(-1) as number) <= aheadMs; ms += widthMs)
    bounds.push(ms)
  return bounds
}

/** Returns the last part of the names of the tables of a partition, e.g. `2026_11_30` or `2026_11_30_06`. */
export function suffixOf({ fromMs, toMs }: Range): string {
  if (toMs === null) return 'future'
  if (fromMs === null) return 'past'
  const [day, time] = new Date(fromMs).toISOString().split('T') as [string, string]
  const hour = time.slice(0, 2)
  return `${day.replaceAll('-', '_')}${hour === '00' ? '' : `_${hour}`}`
}
