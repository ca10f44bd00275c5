// `defineTask` defines a kind of task; each kind has its own file. The validated endpoint, the form on the
// page, and the timeout and retries in the worker are derived from the definition.
import { z } from 'zod'
import { type ConcurrencyLimit, faultOfLimits, type Priority, type RateLimit } from './limits.ts'
import { checkSchedules, type Schedule } from './schedule.ts'
import type { Services } from './services.ts'
import type { Backoff } from './task-status.ts'
import { faultOfUnique, type Unique } from './unique.ts'
import type { UnknownOptions } from './unknown-options.ts'

/** The second argument of the `run` function of a task; the first one is the input. */
export interface TaskContext {
  id: string
  /** Number of this attempt; the first is 1. A task may run more than once (README, "The promise"). */
  attempt: number
  /** X-Request-Id of the request that submitted the task, if there was a request. */
  requestId?: string
  /** W3C Trace Context of the request that submitted the task. Outgoing requests should send it too. */
  traceparent?: string
  /**
   * AbortSignal that aborts when the task is cancelled, the attempt times out, the worker shuts down, another
   * attempt has replaced this one, or code of this attempt has thrown outside of its promise. Pass it to
   * asynchronous calls, or check it: 30 s after the abort (1 s at a shutdown) the attempt ends, even if its
   * code still runs. For an isolated attempt, its process is killed after `killGraceMs` instead. A copy of
   * the context (`{...context}`) does not contain the signal, because it is a getter.
   */
  signal: AbortSignal
  /** Reports the progress of this attempt: `fraction` is 0 to 1. It is stored within a second. */
  progress(fraction: number, message?: string): void
  /**
   * Writes a line to the log of the worker and, within a second, to the log of the task, which the page
   * shows. At most 1,000 lines and 256 KiB are stored per attempt. Never throws.
   */
  log(message: string, fields?: Record<string, unknown>): void
  /** The services of the project, see `defineServices`. */
  services: Services
}

/** Limits of the attempts of a definition that run in isolated processes. */
export interface Isolation {
  /**
   * Resident memory that the process of an attempt may use, in MiB, without the processes that it starts.
   * Above it the process is killed, and the attempt fails.
   */
  memoryMb: number
  /**
   * How long an attempt may run on after its abort, in milliseconds. Then its process and the processes that
   * it has started are killed.
   */
  killGraceMs: number
  /** Number of attempts after which a process is replaced by a new one. */
  maxAttemptsPerProcess: number
}

/** A kind of task. `Given` is the type of the input that callers send, `Input` its type after parsing. */
export interface TaskDefinition<
  Input = unknown,
  Output = unknown,
  Name extends string = string,
  Given = unknown,
> {
  /**
   * Name of the definition. It is part of URLs: at most 64 lower case letters, digits and underscores,
   * beginning with a letter.
   */
  name: Name
  title: string
  description: string
  input: z.ZodType<Input, Given>
  output: z.ZodType<Output>
  /** A valid input. The form on the page, the API documentation and the Postman collection show it. */
  example: Input
  /** Name of the queue of these tasks. Only workers whose WORKER_QUEUES contain this name run them. */
  queue: string
  /** Retry budget: how many times a task may be retried after a failure. */
  maxRetries: number
  backoff: Backoff
  /** Time limit of one attempt, in milliseconds. After that, the AbortSignal of its context aborts. */
  timeoutMs: number
  /**
   * Runs attempts in isolated processes, one at a time in each: an attempt can compute without delaying
   * others, it can be killed, and it crashes alone. Undefined runs attempts in the process of the worker.
   */
  isolate?: Isolation
  /**
   * Removes successful tasks this many hours after their end, if that is earlier than the configuration says.
   * It can only shorten the time.
   */
  retention?: { successHours: number }
  /** Limits how many attempts run at the same time, over all workers. */
  concurrency?: ConcurrencyLimit<Input>
  /** Limits how many attempts start in a time, over all workers. */
  rateLimit?: RateLimit<Input>
  /** Allows one task at a time, or one of each key: a submission that meets it gets that task. */
  unique?: Unique<Input>
  /** Priority of the tasks within their queue, unless a submission says otherwise; `normal` by default. */
  priority: Priority
  /** When tasks of this definition are made regularly. The schedules follow the code at the start of a worker. */
  schedules?: readonly Schedule<NoInfer<Given>>[]
  run(input: Input, context: TaskContext): Promise<Output>
}

type Optional = 'queue' | 'maxRetries' | 'backoff' | 'timeoutMs' | 'priority'

/** What `defineTask` takes. The messages of the compiler show this name. */
export interface DefinitionOptions<Input, Output, Name extends string, Given>
  extends Omit<TaskDefinition<Input, Output, Name, Given>, Optional | 'isolate' | 'run'>,
    Partial<Pick<TaskDefinition, Optional>>,
    UnknownOptions {
  /** `true` sets the default limits; an object replaces some of them. */
  isolate?: boolean | Partial<Isolation>
  /** Returns the result, which `output` describes. */
  run(input: Input, context: TaskContext): Promise<NoInfer<Output>>
}

/** Limits of an isolated attempt whose definition sets none. */
export const DEFAULT_ISOLATION: Isolation = {
  memoryMb: 512,
  killGraceMs: 5_000,
  maxAttemptsPerProcess: 1_000,
}

/** Backoff of a definition that sets none, and of tasks whose definition is unknown. */
export const DEFAULT_BACKOFF: Backoff = { baseMs: 1_000, capMs: 300_000 }

const DEFAULTS = {
  queue: 'default',
  maxRetries: 3,
  backoff: DEFAULT_BACKOFF,
  timeoutMs: 300_000,
  priority: 'normal',
} satisfies Pick<TaskDefinition, Optional>

/**
 * Returns a task definition with the defaults for everything that is left out.
 * @throws Error when its name is not valid in a URL, a member is missing, its example is not a valid input, a
 * limit of `isolate` is not a whole number above its minimum, `successHours` is not a whole number from 1 on, or
 * a limit, the priority, `unique` or a schedule is not valid
 */
export function defineTask<Input, Output, Name extends string, Given>(
  definition: DefinitionOptions<Input, Output, Name, Given>,
): TaskDefinition<Input, Output, Name, Given> {
  if (!/^[a-z][a-z0-9_]{0,63}$/.test(definition.name)) {
    throw new Error(
      `Task "${definition.name}": the name must begin with a lower case letter and have at most 64 lower case letters, digits and underscores`,
    )
  }
  for (const member of ['input', 'output'] as const) {
    if (!(definition[member] instanceof z.ZodType))
      throw new Error(`Task "${definition.name}": ${member} must be a schema of Zod 4`)
  }
  if (typeof definition.run !== 'function')
    throw new Error(`Task "${definition.name}": run must be a function`)
  const example = definition.input.safeParse(definition.example)
  if (!example.success) {
    throw new Error(`Task "${definition.name}": the example is not a valid input: ${example.error.message}`)
  }
  const { successHours = 1 } = definition.retention ?? {}
  if (!Number.isSafeInteger(successHours) || successHours < 1) {
    throw new Error(
      `Task "${definition.name}": retention.successHours must be a whole number of hours, at least 1`,
    )
  }
  const fault = faultOfLimits(definition) ?? faultOfUnique(definition.unique)
  if (fault) throw new Error(`Task "${definition.name}": ${fault}`)
  checkSchedules(definition)
  return { ...DEFAULTS, ...definition, isolate: isolationOf(definition) }
}

// An isolated process that has loaded the definitions of this project has a resident memory of 120 MB; half
// of it is shared with other Node processes.
const MINIMA: Isolation = { memoryMb: 256, killGraceMs: 0, maxAttemptsPerProcess: 1 }
// Node's timers wait 24 days at most.
const MAX_LIMIT = 2 ** 31 - 1

function isolationOf({ name, isolate }: { name: string; isolate?: boolean | Partial<Isolation> }) {
  if (!isolate) return undefined
  const limits = { ...DEFAULT_ISOLATION, ...(typeof isolate === 'object' && isolate) }
  for (const key of Object.keys(limits) as (keyof Isolation)[]) {
    if (!Object.hasOwn(MINIMA, key))
      throw new Error(
        `Task "${name}": isolate.${key} is unknown: expected memoryMb, killGraceMs or maxAttemptsPerProcess`,
      )
    if (!Number.isInteger(limits[key]) || limits[key] < MINIMA[key] || limits[key] > MAX_LIMIT)
      throw new Error(
        `Task "${name}": isolate.${key} must be a whole number from ${MINIMA[key]} to ${MAX_LIMIT}, not ${limits[key]}`,
      )
  }
  return limits
}

/**
 * Thrown by a task when another attempt cannot succeed. The task fails without using its remaining retries.
 */
export class PermanentError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'PermanentError'
  }
}

// Upper limit for the delay of a `RetryLaterError` or `SnoozeError`: one year. Postgres cannot add arbitrary intervals to a
// timestamp.
const MAX_DELAY_MS = 366 * 24 * 3_600_000

/**
 * Thrown by a task to fail and to be retried after `delayMs` or later. It uses one retry like any failure.
 */
export class RetryLaterError extends Error {
  /** Minimum delay before the next attempt, in milliseconds from now. */
  readonly delayMs: number

  /** @throws RangeError when `delayMs` is not between 0 and one year */
  constructor(message: string, { delayMs, ...options }: ErrorOptions & { delayMs: number }) {
    super(message, options)
    this.name = 'RetryLaterError'
    this.delayMs = checkedDelay(delayMs)
  }
}

/**
 * Thrown by a task that cannot be done yet: the next attempt begins after `delayMs` or later. It is no failure: it
 * uses no retry, and the attempt is not recorded.
 */
export class SnoozeError extends Error {
  /** Minimum delay before the next attempt, in milliseconds from now. */
  readonly delayMs: number

  /** @throws RangeError when `delayMs` is not between 0 and one year */
  constructor({
    delayMs,
    message = 'Not yet',
    ...options
  }: ErrorOptions & { delayMs: number; message?: string }) {
    super(message, options)
    this.name = 'SnoozeError'
    this.delayMs = checkedDelay(delayMs)
  }
}

function checkedDelay(delayMs: number): number {
  if (delayMs >= 0 && delayMs <= MAX_DELAY_MS) return delayMs
  throw new RangeError(`delayMs must be between 0 and ${MAX_DELAY_MS}, not ${delayMs}`)
}
