// Defines what a task is. One file per task calls `defineTask`. The validated endpoint, the form on the page,
// and the timeout and retries in the worker are derived from the definition.
import type { z } from 'zod'
import type { Backoff } from './task-status.ts'

/** The second argument of `run`, next to the input. */
export interface TaskContext {
  id: string
  /** The number of this attempt, from 1. A task may run more than once; see "The promise" in the README. */
  attempt: number
  /** Id of the request that submitted the task, if it had one. */
  requestId?: string
  /** W3C Trace Context of that request. Send it with outgoing requests to continue the trace. */
  traceparent?: string
  /**
   * Aborts when the task is cancelled, the attempt times out, or the worker shuts down. Pass it to
   * asynchronous calls, or check it. A copy of the context (`{...context}`) does not contain it, because it
   * is a getter of the class.
   */
  signal: AbortSignal
  /** Reports progress: `fraction` is 0 to 1. The page shows it within a second. */
  progress(fraction: number, message?: string): void
  /**
   * Writes a log line. It is stored with the task, shown on the page within a second, and written to the log
   * of the worker. At most 1,000 lines and 256 KiB are stored per attempt. Never throws.
   */
  log(message: string, fields?: Record<string, unknown>): void
}

/** A task definition. `Given` is the input that callers send, `Input` the type of it after parsing. */
export interface TaskDefinition<
  Input = unknown,
  Output = unknown,
  Name extends string = string,
  Given = unknown,
> {
  /** At most 64 lower case letters, digits and underscores, beginning with a letter. Part of the URL. */
  name: Name
  title: string
  description: string
  input: z.ZodType<Input, Given>
  output: z.ZodType<Output>
  /** A valid input. It is shown in the form, the API documentation and the Postman collection. */
  example: Input
  /** The queue of the task. Workers run it if their WORKER_QUEUES contain this queue. */
  queue: string
  /** How many further attempts may follow failed ones. */
  maxRetries: number
  backoff: Backoff
  /** Time limit of one attempt, in milliseconds. Then its signal aborts. */
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
 * Adds the defaults to a definition.
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

// Upper limit for a retry delay: one year. Postgres cannot add arbitrary intervals to a timestamp.
const MAX_DELAY_MS = 366 * 24 * 3_600_000

/**
 * Thrown by a task to fail and to run again no earlier than after `delayMs`. Uses one retry like any failure.
 */
export class RetryLaterError extends Error {
  /** Milliseconds from now. */
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
