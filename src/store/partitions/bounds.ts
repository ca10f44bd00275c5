// Decides where the partitions of the tables of tasks begin and end. A task belongs to the partition that
// contains the time in its id, which is the time of its submission.

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/**
 * Time in milliseconds. The index `tasks_late` contains the tasks that ended later than this after their
 * submission. So if the range of a partition ended this long ago, each of its tasks that ends from now on is
 * in that index.
 */
export const LATE_MS = HOUR_MS

/** A partition contains the ids of the times from `fromMs` to `toMs` (exclusive), in ms since 1970. */
export interface Range {
  /** Null for the oldest partition, which has no lower bound. */
  fromMs: number | null
  /** Null for the newest partition, which has no upper bound. */
  toMs: number | null
}

/**
 * Whether the range of a partition ended at least `LATE_MS` before `sinceMs`. If so, each of its tasks that
 * ended at `sinceMs` or later is in the index `tasks_late`.
 */
export function isOver({ toMs }: Range, sinceMs: number): boolean {
  return toMs !== null && toMs + LATE_MS <= sinceMs
}

// Widths from which `widthFor` chooses. All are multiples of an hour, so that a name can contain the bound.
const WIDTHS_MS = [
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR_MS),
  ...[1, 2, 4, 7, 14, 28, 56].map((days) => days * DAY_MS),
]
// Width for tasks that are kept forever, or longer than 40 times the largest width above: 40 partitions last
// for ten years.
const WIDEST_MS = 91 * DAY_MS
// Maximum number of partitions that contain kept tasks. With the partitions that are made ahead, the oldest
// and the newest one, there are about 50. More partitions make the planning of every statement slower.
const MAX_KEPT = 40
// Partitions are made this long ahead, so that workers can be stopped for a week before tasks are submitted
// to the newest partition, which has no upper bound.
const AHEAD_MS = 7 * DAY_MS
// Maximum number of partitions that are made ahead. It applies to narrow partitions: a week of partitions
// with a width of an hour would be 168 partitions.
const MAX_AHEAD = 8

/**
 * Returns the width of new partitions, in milliseconds: between a fortieth and a twentieth of `keptMs`, but
 * at least an hour.
 * @param keptMs how long tasks are kept after their end; undefined: forever
 */
export function widthFor(keptMs: number | undefined): number {
  if (keptMs === undefined) return WIDEST_MS
  return WIDTHS_MS.find((widthMs) => keptMs / widthMs <= MAX_KEPT) ?? WIDEST_MS
}

/**
 * Returns the bounds at which the newest partition has to be divided, in ms since 1970 and in ascending
 * order; none if partitions reach far enough ahead.
 * @param newest the partition without an upper bound
 * @param newestTaskMs time in the highest id of that partition, if its tasks stay in it; null if it is empty
 *   or its tasks move to the new partitions
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
  // All tasks must be below the bound: those that a process has submitted whose clock is ahead, and those
  // that are submitted until the bound takes effect.
  if (newestTaskMs !== null) return [next(Math.max(newestTaskMs, aheadMs))]
  // The first partition begins at the lower bound of the newest one. If no worker has run for long, it is
  // wider than the others.
  const firstMs = next(Math.max(fromMs, nowMs - widthMs))
  const bounds: number[] = []
  for (let ms = firstMs; bounds.length === 0 || (bounds.at(-1) as number) <= aheadMs; ms += widthMs)
    bounds.push(ms)
  return bounds
}

/**
 * Returns the suffix of the table names of a partition: its lower bound in UTC, e.g. `2026_11_30` or
 * `2026_11_30_06`; `past` for the oldest partition and `future` for the newest one.
 */
export function suffixOf({ fromMs, toMs }: Range): string {
  if (toMs === null) return 'future'
  if (fromMs === null) return 'past'
  const [day, time] = new Date(fromMs).toISOString().split('T') as [string, string]
  const hour = time.slice(0, 2)
  return `${day.replaceAll('-', '_')}${hour === '00' ? '' : `_${hour}`}`
}
