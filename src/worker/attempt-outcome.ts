// What a handler's result, error or abort means: the outcome of its attempt.
import { isAppError, messageOf } from '../base/errors.ts'
import { PermanentError, RetryLaterError } from '../definitions/define.ts'
import type { Outcome, TaskError } from '../definitions/task-status.ts'
import { resultTextOf } from '../store/result-text.ts'
import type { RunningTask } from './running-tasks.ts'

/**
 * Returns the outcome of a handler that has returned a result. The result is serialized here, once, so that
 * its size is known and the value itself can be freed. A result that cannot be stored fails the attempt.
 */
export function outcomeOfResult(result: unknown): Outcome {
  try {
    return { kind: 'succeeded', resultText: resultTextOf(result ?? null) }
  } catch (error) {
    return { kind: 'failed', error: unstorableResult(error) }
  }
}

/** Returns the outcome of a handler that has thrown. */
export function outcomeOfError(error: unknown, { abortReason: reason, task }: RunningTask): Outcome {
  if (reason === 'cancelled') return { kind: 'cancelled' }
  if (reason === 'shutdown' || reason === 'lost') return { kind: 'released' }
  if (reason === 'timeout') {
    const message = `Timed out: an attempt may take ${task.timeoutMs / 1_000} s`
    return { kind: 'failed', error: { name: 'TimeoutError', message, retryable: true } }
  }
  const minDelayMs = error instanceof RetryLaterError ? error.delayMs : undefined
  return { kind: 'failed', error: taskErrorOf(error), minDelayMs }
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

// Maximum length of an error message in characters. It is stored with the task and shown on the page.
const MAX_MESSAGE = 4_000

function taskErrorOf(error: unknown): TaskError {
  const name = error instanceof Error ? error.name : 'Error'
  const message = messageOf(error).slice(0, MAX_MESSAGE)
  return { name, message, retryable: !(error instanceof PermanentError) }
}
