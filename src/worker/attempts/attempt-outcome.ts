// Derives the outcome of an attempt from the result, the error or the abort of its handler.
import { isAppError, messageOf } from '../../base/errors.ts'
import { PermanentError, RetryLaterError, SnoozeError } from '../../definitions/define.ts'
import type { Outcome, TaskError } from '../../definitions/task-status.ts'
import { resultTextOf } from '../../store/result-text.ts'
import type { AbortReason, RunningTask } from './running-tasks.ts'

/**
 * The outcome of a handler. `thrown`: the error with which the code of an aborted attempt has ended, unless
 * it is the abort itself. It is kept if the end of the attempt is refused.
 */
export type HandlerOutcome = Outcome & { thrown?: TaskError }

/**
 * Returns the outcome of a handler that has returned a result. The result is serialized here, once, so that
 * its size is known and the value itself can be freed. A result that cannot be stored fails the attempt.
 */
export function outcomeOfResult(result: unknown, attempt: RunningTask): HandlerOutcome {
  if (attempt.abortReason === 'stray error') return outcomeOfStrayError(attempt)
  try {
    return { kind: 'succeeded', resultText: resultTextOf(result ?? null) }
  } catch (cause) {
    const error = unstorableResult(cause)
    return { kind: 'failed', error, thrown: error }
  }
}

/** Returns the outcome of a handler that has thrown. */
export function outcomeOfError(error: unknown, attempt: RunningTask): HandlerOutcome {
  const { abortReason: reason } = attempt
  if (reason === undefined && error instanceof SnoozeError)
    return { kind: 'released', minDelayMs: error.delayMs }
  if (reason === undefined)
    return { kind: 'failed', error: taskErrorOf(error), minDelayMs: minDelayOf(error) }
  // Abortable functions of Node and of the web reject with an error of this name.
  const isAbort = error instanceof Error && error.name === 'AbortError'
  return { ...outcomeOfAbort(reason, attempt), ...(!isAbort && { thrown: taskErrorOf(error) }) }
}

function outcomeOfAbort(reason: AbortReason, attempt: RunningTask): Outcome {
  if (reason === 'cancelled') return { kind: 'cancelled' }
  if (reason === 'timeout') return { kind: 'failed', error: timeoutError(attempt) }
  if (reason === 'stray error') return outcomeOfStrayError(attempt)
  return { kind: 'released' }
}

/**
 * Returns the outcome of an attempt whose handler has not returned within `graceMs` after it was aborted for
 * this reason.
 */
export function outcomeOfIgnoredAbort(reason: AbortReason, attempt: RunningTask, graceMs: number): Outcome {
  const detail = `The handler has ignored its AbortSignal for ${graceMs / 1_000} s and may still run`
  return outcomeOfAbortWith(detail, reason, attempt)
}

/** Returns the outcome of an aborted attempt, with a sentence about its end added to the error. */
export function outcomeOfAbortWith(
  detail: string,
  reason: AbortReason,
  attempt: RunningTask,
  more: { stderr?: string } = {},
): Outcome {
  const outcome = outcomeOfAbort(reason, attempt)
  if (outcome.kind === 'cancelled') {
    const error = { name: 'AbortIgnored', message: `Cancelled. ${detail}`, retryable: true, ...more }
    return { ...outcome, error }
  }
  if (outcome.kind !== 'failed') return outcome
  const { error } = outcome
  return { ...outcome, error: { ...error, message: `${error.message}. ${detail}`, ...more } }
}

function outcomeOfStrayError({ strayError }: RunningTask): Outcome {
  return { kind: 'failed', ...strayErrorOf(strayError) }
}

/** Returns the error of an attempt whose code has thrown outside of its promise. */
export function strayErrorOf(thrown: unknown): { error: TaskError; minDelayMs?: number } {
  const stack = stackOf(thrown)
  const error = { ...taskErrorOf(thrown), ...(stack !== undefined && { stack: storable(stack) }) }
  return { error, minDelayMs: minDelayOf(thrown) }
}

/** Returns the stack of an error. Code can replace it by a value of any type (`Error.prepareStackTrace`). */
export function stackOf(thrown: unknown): string | undefined {
  const stack: unknown = thrown instanceof Error ? thrown.stack : undefined
  return typeof stack === 'string' ? stack : undefined
}

function timeoutError({ task }: RunningTask): TaskError {
  const message = `Timed out: an attempt may take ${task.timeoutMs / 1_000} s`
  return { name: 'TimeoutError', message, retryable: true }
}

function minDelayOf(error: unknown): number | undefined {
  return error instanceof RetryLaterError ? error.delayMs : undefined
}

const UNSTORABLE = 'UnstorableResult'

/** The error of an attempt whose result cannot be stored. */
export function unstorableResult(error: unknown): TaskError {
  return {
    name: UNSTORABLE,
    message: `The result cannot be stored as JSON: ${messageOf(error)}`,
    retryable: false,
  }
}

export function isUnstorableResult(error: TaskError | undefined): boolean {
  return error?.name === UNSTORABLE
}

/**
 * Checks whether the write of an attempt's end failed because Postgres can never store it (SQLSTATE classes
 * 22 data exception, 54 limit exceeded). All other errors (outage, failover, changed password) count as
 * transient.
 */
export function isUnstorable(error: unknown): boolean {
  if (!(error instanceof Error) || isAppError(error)) return false
  const state = 'code' in error ? String(error.code) : ''
  return /^(22|54)\w{3}$/.test(state) || isUnstorable(error.cause)
}

// Maximum length of an error message, and of a stack, in characters. The message is shown on the page.
const MAX_TEXT = 4_000

function taskErrorOf(error: unknown): TaskError {
  const name: unknown = error instanceof Error ? error.name : 'Error'
  return {
    name: typeof name === 'string' ? storable(name) : 'Error',
    message: storable(messageOf(error) + reasonOfFetch(error)),
    retryable: !(error instanceof PermanentError),
  }
}

// Messages of errors of `fetch` that do not name the reason. The cause does.
const FETCH_MESSAGES = new Set(['fetch failed', 'terminated'])

/**
 * Returns the reason that an error of `fetch` does not name: the code of its cause, e.g. ECONNREFUSED. The
 * message of the cause can contain internal addresses, so it is used only for causes without a code, which
 * are no network errors.
 */
function reasonOfFetch(error: unknown): string {
  if (!(error instanceof TypeError) || !FETCH_MESSAGES.has(error.message)) return ''
  const { cause } = error
  if (!(cause instanceof Error)) return ''
  return `: ${'code' in cause && cause.code ? String(cause.code) : messageOf(cause)}`
}

function storable(text: string): string {
  return text.slice(0, MAX_TEXT)
}
