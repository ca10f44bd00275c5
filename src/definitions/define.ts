// `defineTask` defines a kind of task; each kind has its own file. The validated endpoint, the form on the
// page, and the timeout and retries in the worker are derived from the definition.
import type { z } from 'zod'
import type { Backoff } from './task-status.ts'

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
   * code still runs. A copy of the context (`{...context}`) does not contain it, because it is a getter.
   */
  signal: AbortSignal
  /** Reports the progress of this attempt: `fraction` is 0 to 1. It is stored within a second. */
  progress(fraction: number, message?: string): void
  /**
   * Writes a line to the log of the worker and, within a second, to the log of the task, which the page
   * shows. At most 1,000 lines and 256 KiB are stored per attempt. Never throws.
   */
  log(message: string, fields?: Record<string, unknown>): void
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
  run(input: Input, context: TaskContext): Promise<Output>
}

type Optional = 'queue' | 'maxRetries' | 'backoff' | 'timeoutMs'

const DEFAULTS = {
  queue: 'default',
  maxRetries: 3,
  backoff: { baseMs: 1_000, capMs: 300_000 },
  timeoutMs: 300_000,
} satisfies Pick<TaskDefinition, Optional>

/**
 * Returns a task definition with the defaults for everything that is left out.
 * @throws Error when its name is not valid in a URL, or its example is not a valid input
 */
export function defineTask<Input, Output, Name extends string, Given>(
  definition: Omit<TaskDefinition<Input, Output, Name, Given>, Optional> &
    Partial<Pick<TaskDefinition, Optional>>,
): TaskDefinition<Input, Output, Name, Given> {
  if (!/^[a-z][a-z0-9_]{0,63}$/.test(definition.name)) {
    throw new Error(
      `Task "${definition.name}": the name must begin with a lower case letter and have at most 64 lower case letters, digits and underscores`,
    )
  }
  const example = definition.input.safeParse(definition.example)
  if (!example.success) {
    throw new Error(`Task "${definition.name}": the example is not a valid input: ${example.error.message}`)
  }
  return { ...DEFAULTS, ...definition }
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

// Upper limit for the delay of a `RetryLaterError`: one year. Postgres cannot add arbitrary intervals to a
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
    if (!(delayMs >= 0 && delayMs <= MAX_DELAY_MS))
      throw new RangeError(`delayMs must be between 0 and ${MAX_DELAY_MS}, not ${delayMs}`)
    this.delayMs = delayMs
  }
}
