// The member `unique` of a definition: a submission that meets a task with the same key gets that task
// instead of a new one. The decisions are pure: the store reads the state of the task that is met, and holds
// the lock of the key.
import { MAX_RATE_SECONDS, MIN_RATE_SECONDS, shown } from './limits.ts'
import { isFinal, type TaskStatus } from './task-status.ts'

/** Allows one task of a definition at a time, or one of each key. */
export interface Unique<Input = unknown> {
  /**
   * Returns the key of a task, 1 to 200 characters. Tasks with different keys do not meet each other. Without
   * this function all tasks of the definition have the same key. Called when the task is submitted.
   */
  key?(input: Input): string
  /**
   * How long a later submission meets the task: until its first attempt has started, until it has ended, or
   * for so many seconds after its submission, 0.1 to 31 days, whatever its status.
   */
  until: 'started' | 'finished' | { seconds: number }
  /**
   * What a submission does to the task that it meets. `existing`, the default: nothing. `replace`: the task
   * gets the new input if it waits. `debounce`: also, its start is delayed again.
   */
  onConflict?: OnConflict
  /** Only and always with `debounce`: delay of the start after each submission in seconds, 0.1 to 31 days. */
  delaySeconds?: number
  /**
   * Only with `debounce`: maximum delay of the start after the first submission in seconds, at least
   * `delaySeconds`. Without it there is no maximum.
   */
  maxDelaySeconds?: number
}

const CONFLICT_RULES = ['existing', 'replace', 'debounce'] as const
export type OnConflict = (typeof CONFLICT_RULES)[number]

const MEMBERS = ['key', 'until', 'onConflict', 'delaySeconds', 'maxDelaySeconds']

/** Describes the first fault in the member `unique` of a definition; undefined if there is none. */
export function faultOfUnique(unique: Unique<never> | undefined): string | undefined {
  if (unique === undefined) return undefined
  if (typeof unique !== 'object' || unique === null)
    return "unique must be an object, for example { until: 'finished' }"
  const unknown = Object.keys(unique).find((name) => !MEMBERS.includes(name))
  if (unknown !== undefined) return `unique.${unknown} is unknown: expected ${MEMBERS.join(', ')}`
  const { key, onConflict = 'existing' } = unique
  if (key !== undefined && typeof key !== 'function') return 'unique.key must be a function'
  if (!CONFLICT_RULES.includes(onConflict))
    return `unique.onConflict must be ${CONFLICT_RULES.map(shown).join(', ')}, not ${shown(onConflict)}`
  return faultOfUntil(unique.until) ?? faultOfDelays(unique, onConflict)
}

function faultOfUntil(until: Unique['until']): string | undefined {
  if (until === 'started' || until === 'finished') return undefined
  if (typeof until !== 'object' || until === null)
    return `unique.until must be "started", "finished" or { seconds: 60 }, not ${shown(until)}`
  const unknown = Object.keys(until).find((name) => name !== 'seconds')
  if (unknown !== undefined) return `unique.until.${unknown} is unknown: expected seconds`
  return faultOfSeconds('unique.until.seconds', until.seconds)
}

function faultOfDelays(
  { delaySeconds, maxDelaySeconds }: Unique<never>,
  onConflict: OnConflict,
): string | undefined {
  if (onConflict !== 'debounce') {
    const given =
      delaySeconds !== undefined ? 'delaySeconds' : maxDelaySeconds !== undefined && 'maxDelaySeconds'
    return given ? `unique.${given} needs unique.onConflict "debounce", not ${shown(onConflict)}` : undefined
  }
  if (delaySeconds === undefined) return 'unique.onConflict "debounce" needs unique.delaySeconds'
  const fault =
    faultOfSeconds('unique.delaySeconds', delaySeconds) ??
    (maxDelaySeconds === undefined ? undefined : faultOfSeconds('unique.maxDelaySeconds', maxDelaySeconds))
  if (fault) return fault
  return maxDelaySeconds !== undefined && maxDelaySeconds < delaySeconds
    ? `unique.maxDelaySeconds must be at least unique.delaySeconds, which is ${delaySeconds}, not ${maxDelaySeconds}`
    : undefined
}

function faultOfSeconds(member: string, seconds: unknown): string | undefined {
  return typeof seconds === 'number' && seconds >= MIN_RATE_SECONDS && seconds <= MAX_RATE_SECONDS
    ? undefined
    : `${member} must be a number from ${MIN_RATE_SECONDS} to ${MAX_RATE_SECONDS}, not ${shown(seconds)}`
}

/** Milliseconds from its submission for which a task is met whatever its status; 0 if its status decides. */
export function windowMsOf(until: Unique['until']): number {
  return typeof until === 'object' ? Math.round(until.seconds * 1_000) : 0
}

/**
 * Whether submissions meet a task in this state. All times are by the clock of Postgres, in ms since 1970.
 */
export function isMet(
  until: Unique['until'],
  task: { status: TaskStatus; attempt: number; firstAtMs: number },
  nowMs: number,
): boolean {
  if (typeof until === 'object') return nowMs < task.firstAtMs + windowMsOf(until)
  return until === 'started' ? isBeforeFirstStart(task) : !isFinal(task.status)
}

function isBeforeFirstStart({ status, attempt }: { status: TaskStatus; attempt: number }): boolean {
  return status === 'PENDING' && attempt === 0
}

/** Whether a task in this status gets the input of a submission that replaces it. */
export function isWaiting(status: TaskStatus): boolean {
  return status === 'PENDING' || status === 'RETRY'
}

/**
 * Returns the start of a task after one more submission, in ms since 1970. It never moves back, so that a
 * retry keeps its delay, and a task the start that its first submission has asked for.
 * @param startMs the start until now
 * @param firstAtMs time of the first submission
 */
export function debouncedStartMs(
  { delayMs, maxDelayMs = Number.POSITIVE_INFINITY }: { delayMs?: number; maxDelayMs?: number },
  { startMs, firstAtMs, nowMs }: { startMs: number; firstAtMs: number; nowMs: number },
): number {
  if (delayMs === undefined) return startMs
  return Math.max(startMs, Math.min(nowMs + delayMs, firstAtMs + maxDelayMs))
}
