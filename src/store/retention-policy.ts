// How long tasks are kept after their end, and which of them have to be deleted row by row.
import { LATE_MS, widthFor } from './partitions/bounds.ts'

export interface RetentionPolicy {
  /** How long any task is kept, in milliseconds; undefined: forever. */
  keptMs?: number
  /** How long a successful task is kept, in milliseconds; undefined: like any other task. */
  successMs?: number
  /** Shorter times for the successful tasks of some definitions, in milliseconds by name. */
  successMsByName?: ReadonlyMap<string, number>
}

/** A time after which successful tasks are deleted row by row: those of `names`, or of all definitions. */
export interface RowRule {
  /** Key of the rule in `retention_progress`. */
  key: string
  /** Names of the definitions; undefined: all. */
  names?: string[]
  /** How long the tasks are kept after their end, in milliseconds. */
  successMs: number
}

/**
 * Returns how long a successful task is kept if its definition has no time of its own, in milliseconds;
 * undefined: forever.
 */
export function successMsOf({ keptMs, successMs }: RetentionPolicy): number | undefined {
  if (keptMs === undefined || successMs === undefined) return successMs ?? keptMs
  return Math.min(keptMs, successMs)
}

/**
 * Returns the rules whose tasks are deleted row by row: those of single definitions, because a partition
 * contains tasks of all definitions; and the one of all successful tasks, if its time is shorter than two
 * partitions and `LATE_MS`, because with partitions alone they would stay much longer.
 */
export function rowRulesOf(policy: RetentionPolicy): RowRule[] {
  const allMs = successMsOf(policy)
  const rules: RowRule[] = []
  if (allMs !== undefined && allMs < 2 * widthFor(policy.keptMs) + LATE_MS)
    rules.push({ key: `success ${allMs}`, successMs: allMs })
  const shorter = [...(policy.successMsByName ?? [])].filter(
    ([, ms]) => ms < (allMs ?? Number.POSITIVE_INFINITY),
  )
  for (const successMs of new Set(shorter.map(([, ms]) => ms))) {
    const names = shorter.flatMap(([name, ms]) => (ms === successMs ? [name] : [])).toSorted()
    rules.push({ key: `success ${successMs} ${names.join(' ')}`, names, successMs })
  }
  return rules
}
