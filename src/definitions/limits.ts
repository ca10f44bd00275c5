// Limits of a definition: how many of its tasks run at the same time, and how many start in a time. And the
// priority of a task.
import { AppError, messageOf } from '../base/errors.ts'

/** Limits how many attempts run at the same time, over all workers. */
export interface ConcurrencyLimit<Input = unknown> {
  /** Maximum number of attempts that run at the same time. */
  limit: number
  /**
   * Returns the key of a task, 1 to 200 characters. The limit then applies to each key, and keys take turns.
   * Without this function it applies to all tasks of the definition. Called when the task is submitted.
   */
  key?(input: Input): string
}

/** Limits how many attempts start in any span of `perSeconds`, over all workers. */
export interface RateLimit<Input = unknown> {
  /** Maximum number of attempts that start in any span of `perSeconds`. */
  limit: number
  /** Length of the span in seconds, from 0.1 to 31 days. */
  perSeconds: number
  /** Like `key` of a `ConcurrencyLimit`. */
  key?(input: Input): string
}

/** The parts of a definition that make its tasks held. */
export interface Limited<Input = unknown> {
  name: string
  concurrency?: ConcurrencyLimit<Input>
  rateLimit?: RateLimit<Input>
  priority: Priority
}

/** Priorities, highest first. */
export const PRIORITIES = ['high', 'normal', 'low'] as const
export type Priority = (typeof PRIORITIES)[number]

/** Limits as they apply to the tasks of a definition or of a queue. */
export interface Limits {
  /** Maximum number of attempts that run at the same time; null without a limit. */
  concurrency: number | null
  /** Maximum number of attempts that start in any `perMs`; null without a limit. */
  rate: { limit: number; perMs: number } | null
}

/**
 * What a held task has besides a plain one. Workers claim held tasks from Postgres, in the order of priorities and
 * as their limits allow.
 */
export interface Hold {
  /** Key of the concurrency limit; '' if the limit has no keys, or there is none. */
  concurrencyKey: string
  /** Key of the rate limit; '' if the limit has no keys, or there is none. */
  rateKey: string
  priority: Priority
  /** A task that has not started by then ends as CANCELLED. */
  expiresAt?: Date
}

/** Largest value of a limit. */
export const MAX_LIMIT = 1_000_000
/** Shortest and longest span of a rate limit, in seconds. */
export const MIN_RATE_SECONDS = 0.1
export const MAX_RATE_SECONDS = 31 * 24 * 3_600
const MAX_KEY_LENGTH = 200

/** Describes the first fault in the limits and the priority of a definition; undefined if there is none. */
export function faultOfLimits({
  concurrency,
  rateLimit,
  priority,
}: Partial<Limited<never>>): string | undefined {
  if (priority !== undefined && !PRIORITIES.includes(priority))
    return `priority must be ${PRIORITIES.map((name) => `"${name}"`).join(', ')}, not ${shown(priority)}`
  return (
    faultOf('concurrency', concurrency, ['limit', 'key']) ??
    faultOf('rateLimit', rateLimit, ['limit', 'perSeconds', 'key']) ??
    faultOfSeconds(rateLimit)
  )
}

function faultOf(member: string, given: object | undefined, known: string[]): string | undefined {
  if (given === undefined) return undefined
  if (typeof given !== 'object' || given === null)
    return `${member} must be an object, for example { limit: 1 }`
  const unknown = Object.keys(given).find((name) => !known.includes(name))
  if (unknown !== undefined) return `${member}.${unknown} is unknown: expected ${known.join(', ')}`
  const { limit, key } = given as Partial<ConcurrencyLimit>
  if (!Number.isInteger(limit) || (limit as number) < 1 || (limit as number) > MAX_LIMIT)
    return `${member}.limit must be a whole number from 1 to ${MAX_LIMIT}, not ${shown(limit)}`
  return key === undefined || typeof key === 'function' ? undefined : `${member}.key must be a function`
}

function faultOfSeconds(rateLimit: RateLimit | undefined): string | undefined {
  if (!rateLimit) return undefined
  const { perSeconds } = rateLimit
  return perSeconds >= MIN_RATE_SECONDS && perSeconds <= MAX_RATE_SECONDS
    ? undefined
    : `rateLimit.perSeconds must be a number from ${MIN_RATE_SECONDS} to ${MAX_RATE_SECONDS}, not ${shown(perSeconds)}`
}

/** Returns a value as it appears in a message about it. */
export function shown(value: unknown): string {
  return typeof value === 'string' ? `"${value}"` : messageOf(value)
}

/** Returns the limits of a definition; null if it has none. */
export function limitsOf({ concurrency, rateLimit }: Omit<Limited, 'name'>): Limits | null {
  if (!concurrency && !rateLimit) return null
  return {
    concurrency: concurrency?.limit ?? null,
    rate: rateLimit ? { limit: rateLimit.limit, perMs: Math.round(rateLimit.perSeconds * 1_000) } : null,
  }
}

/** Whether a definition has a `key` function. */
export function hasKeys({ concurrency, rateLimit }: Partial<Limited<never>>): boolean {
  return concurrency?.key !== undefined || rateLimit?.key !== undefined
}

/**
 * Returns how a task of this definition is held; undefined for a plain task.
 * @throws AppError `invalid_input` if a `key` function throws or returns no valid key
 */
export function holdOf(
  definition: Limited,
  input: unknown,
  options: { priority?: Priority; expiresAt?: Date } = {},
): Hold | undefined {
  const { concurrency, rateLimit } = definition
  const { priority = definition.priority, expiresAt } = options
  if (!concurrency && !rateLimit && priority === 'normal' && !expiresAt) return undefined
  return {
    concurrencyKey: keyOf(definition.name, 'concurrency', concurrency, input),
    rateKey: keyOf(definition.name, 'rateLimit', rateLimit, input),
    priority,
    expiresAt,
  }
}

/**
 * Returns the key of a task; '' without a `key` function.
 * @param member name of the member of the definition, for messages
 * @throws AppError `invalid_input` if the function throws or returns no valid key
 */
export function keyOf(
  name: string,
  member: string,
  keyed: { key?(input: unknown): string } | undefined,
  input: unknown,
): string {
  if (!keyed?.key) return ''
  const fail = (problem: string, cause?: unknown) =>
    new AppError('invalid_input', `Task "${name}": ${member}.key ${problem}`, { cause })
  let key: unknown
  try {
    key = keyed.key(input)
  } catch (cause) {
    throw fail(`has thrown for this input: ${messageOf(cause)}`, cause)
  }
  if (typeof key !== 'string') throw fail(`must return a string for this input, not ${shown(key)}`)
  if (key.length < 1 || key.length > MAX_KEY_LENGTH)
    throw fail(`must return 1 to ${MAX_KEY_LENGTH} characters for this input, not ${key.length}`)
  if (!key.isWellFormed() || key.includes('\0'))
    throw fail('must not return NUL or unpaired surrogates, which Postgres cannot store')
  return key
}
