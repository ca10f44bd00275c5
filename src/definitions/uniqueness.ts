// How a single task is unique: what its definition says for its input.
import type { TaskDefinition } from './define.ts'
import { keyOf } from './limits.ts'
import { type Mask, masksOf } from './sensitive.ts'
import type { OnConflict, Unique } from './unique.ts'

/** What a task of a definition with `unique` has besides other tasks. */
export interface Uniqueness {
  /** '' if the definition has no `key` function. */
  key: string
  until: Unique['until']
  onConflict: OnConflict
  /**
   * Delay of the start after each submission, in milliseconds; undefined unless `onConflict` is `debounce`.
   */
  delayMs?: number
  /** Maximum delay of the start after the first submission, in milliseconds; undefined without a maximum. */
  maxDelayMs?: number
  /** Whether the definition has a concurrency or rate limit, so that its tasks must be held. */
  isLimited: boolean
  /** The sensitive fields of the input, which are masked in the history of the task. */
  mask?: Mask
}

/**
 * Returns how a task of this definition is unique; undefined if its definition has no `unique`.
 * @throws AppError `invalid_input` if the `key` function throws or returns no valid key
 */
export function uniquenessOf(definition: TaskDefinition, input: unknown): Uniqueness | undefined {
  const { name, unique, concurrency, rateLimit } = definition
  if (!unique) return undefined
  const { until, onConflict = 'existing', delaySeconds, maxDelaySeconds } = unique
  return {
    key: keyOf(name, 'unique', unique, input),
    until,
    onConflict,
    delayMs: msOf(delaySeconds),
    maxDelayMs: msOf(maxDelaySeconds),
    isLimited: concurrency !== undefined || rateLimit !== undefined,
    mask: masksOf(definition).input,
  }
}

function msOf(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.round(seconds * 1_000)
}
