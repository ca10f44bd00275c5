// What a task definition is. One file per task calls `defineTask`; everything else is derived from it:
// the validated endpoint, the form on the page, the worker's policy.
import type { z } from 'zod'
import type { Backoff } from './task-status.ts'

/** What a running task is given beside its input. */
export interface TaskContext {
  id: string
  /** Which run this is: 1 for the first. A task may run more than once; see the promise in the README. */
  attempt: number
  /** Of the request that submitted it, where it came with one. */
  requestId?: string
  /** W3C Trace Context of that request, to be passed on. */
  traceparent?: string
  /**
   * Aborts when the task is cancelled, times out, or the worker shuts down. Pass it on, or check it. A copy of the
   * context (`{...context}`) is without it.
   */
  signal: AbortSignal
  /** Reports how far it is: `fraction` from 0 to 1. Shown within a second. */
  progress(fraction: number, message?: string): void
  /**
   * Says what it does: kept with the task, seen within a second, and written to the log of the process. Of an attempt at
   * most 1,000 lines and 256 KiB are kept. Never throws.
   */
  log(message: string, fields?: Record<string, unknown>): void
}

/** `Given` is what a caller may send; `Input` what parsing makes of it. */
export interface TaskDefinition<
  Input = unknown,
  Output = unknown,
  Name extends string = string,
  Given = unknown,
> {
  /** Lower case letters, digits and underscores. Part of the URL. */
  name: Name
  title: string
  description: string
  input: z.ZodType<Input, Given>
  output: z.ZodType<Output>
  /** A valid input, shown in the form, the docs and the API collection. */
  example: Input
  /** Which workers run it: those whose WORKER_QUEUES name this queue. */
  queue: string
  /** How often it is run again after a failure. */
  maxRetries: number
  backoff: Backoff
  /** How long one attempt may take before its signal aborts, in milliseconds. */
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

/** @throws when the name cannot be part of a URL or the example is not a valid input: both are mistakes in the code */
export function defineTask<Input, Output, Name extends string, Given>(
  definition: Omit<TaskDefinition<Input, Output, Name, Given>, Optional> &
    Partial<Pick<TaskDefinition, Optional>>,
): TaskDefinition<Input, Output, Name, Given> {
  if (!/^[a-z][a-z0-9_]{0,63}$/.test(definition.name)) {
    throw new Error(`Task "${definition.name}": the name must be lower case letters, digits and underscores`)
  }
  const example = definition.input.safeParse(definition.example)
  if (!example.success) {
    throw new Error(`Task "${definition.name}": the example is not a valid input: ${example.error.message}`)
  }
  return { ...DEFAULTS, ...definition }
}

/** Thrown by a task for which another attempt is useless: it fails at once, whatever its retries. */
export class PermanentError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'PermanentError'
  }
}

// Beyond any pause that makes sense, and within what Postgres can add to a time.
const MAX_DELAY_MS = 366 * 24 * 3_600_000

/** Thrown by a task that knows when another attempt may help: the next begins no earlier, and uses the retry budget. */
export class RetryLaterError extends Error {
  /** Milliseconds from now. */
  readonly delayMs: number

  /** @throws RangeError when `delayMs` is not between 0 and a year */
  constructor(message: string, { delayMs, ...options }: ErrorOptions & { delayMs: number }) {
    super(message, options)
    this.name = 'RetryLaterError'
    if (!(delayMs >= 0 && delayMs <= MAX_DELAY_MS))
      throw new RangeError(`delayMs must be between 0 and ${MAX_DELAY_MS}, not ${delayMs}`)
    this.delayMs = delayMs
  }
}
