// Classifies errors of the database: what an API client may be told, and whether a statement may have been
// committed.
import { AppError, isAppError } from '../base/errors.ts'

/** Message of the AppError `unavailable` if Postgres can be reached but accepts no writes. */
export const READ_ONLY = 'Postgres is read-only'

/**
 * It is unknown whether a write was committed: its response did not arrive within the time limit, its
 * connection broke, or the rows of a committed batch could not be read.
 */
export class NoAnswerError extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause })
    this.name = 'NoAnswerError'
  }
}

const connectionLosses = new WeakSet<Error>()

/**
 * Remembers that an established connection broke with this error. The error of a statement that was under way
 * is the same object.
 */
export function noteConnectionLoss(error: Error): void {
  connectionLosses.add(error)
}

/** Calls `work`. Replaces errors that mean that Postgres cannot be reached by an AppError `unavailable`. */
export async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isUnavailable(error)) throw new AppError('unavailable', messageFor(error), { cause: error })
    throw error
  }
}

/**
 * Whether a statement that failed with this error may have been committed. If Postgres answered with an
 * error, it was not.
 */
export function isOutcomeUnknown(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  // SQLSTATE class 08 (connection exception) is the answer of a proxy that has lost its connection to
  // Postgres.
  const isLost = connectionLosses.has(error) || ('severity' in error && hasOwnState(error, /^08/))
  return isLost || error instanceof NoAnswerError || isOutcomeUnknown(error.cause)
}

/**
 * Whether a lock was not granted within `lock_timeout`: SQLSTATE 55P03 (`lock_not_available`). Also checks
 * `cause`, because Drizzle wraps the driver's error.
 */
export function isLockTimeout(error: unknown): boolean {
  return error instanceof Error && (('code' in error && error.code === '55P03') || isLockTimeout(error.cause))
}

/**
 * Awaits a write that may not be repeated blindly. If it may have been committed although it failed, throws
 * an AppError `outcome_unknown` with this message.
 */
export async function confirmed<T>(write: Promise<T>, message: string): Promise<T> {
  try {
    return await write
  } catch (error) {
    throw isOutcomeUnknown(error) ? new AppError('outcome_unknown', message, { cause: error }) : error
  }
}

/** Whether a query failed because no connection of its pool became available in time. */
export function isWaitTimeout(error: unknown): boolean {
  return (
    error instanceof Error &&
    (error.message === 'timeout exceeded when trying to connect' || isWaitTimeout(error.cause))
  )
}

/** Whether a query was not sent, because its pool had or opened no connection in time. */
export function isConnectTimeout(error: unknown): boolean {
  return (
    isWaitTimeout(error) ||
    (error instanceof Error && error.message === 'Connection terminated due to connection timeout')
  )
}

/** Message for a pooler that refuses the settings of a connection. */
export const OPTIONS_REFUSED =
  'DATABASE_URL leads to a pooler (such as PgBouncer) that refuses the settings of a connection (startup parameter "options"). Connect to Postgres directly'

/** Whether a pooler has refused a connection because of its settings. */
export function areOptionsRefused(error: unknown): boolean {
  return (
    error instanceof Error &&
    (/startup parameter.*options/.test(error.message) || areOptionsRefused(error.cause))
  )
}

function messageFor(error: unknown): string {
  if (areOptionsRefused(error)) return OPTIONS_REFUSED
  if (hasState(error, /^25006$/)) return READ_ONLY
  if (hasState(error, CANCELLED))
    return 'Postgres cancelled the statement: it took too long, or an administrator cancelled it'
  return 'The database cannot be reached'
}

// SQLSTATE of a statement that Postgres has cancelled, because of `statement_timeout` or on request of an
// administrator.
const CANCELLED = /^57014$/
// SQLSTATEs of errors that count as "Postgres cannot be reached": class 08 (connection exception), class 53
// (insufficient resources), 57P01 to 57P05 (server shutdown, crash or start; database dropped; session closed
// because it was idle), 25P03 (the same in a transaction), 57014 (statement cancelled), and 25006 (read-only, for
// example a replica after a failover).
const UNAVAILABLE_STATE = /^(08...|53...|57P0[1-5]|57014|25006|25P03)$/
const UNAVAILABLE_CODE = /^(ECONN\w+|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/
// Messages of errors that count as "Postgres cannot be reached" and that have no code (`pg`, PGlite).
const UNAVAILABLE_MESSAGE =
  /^(Connection terminated|timeout expired|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|Cannot use a pool after|PGlite is clos)/

/** Whether the error, or an error that caused it, has such a code: an SQLSTATE or a code of Node. */
function hasState(error: unknown, code: RegExp): boolean {
  if (!(error instanceof Error)) return false
  return hasOwnState(error, code) || hasState(error.cause, code)
}

function hasOwnState(error: Error, code: RegExp): boolean {
  return 'code' in error && code.test(String(error.code))
}

function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error) || isAppError(error)) return false
  if (isOutcomeUnknown(error)) return true
  if (hasState(error, UNAVAILABLE_STATE) || hasState(error, UNAVAILABLE_CODE)) return true
  if (UNAVAILABLE_MESSAGE.test(error.message)) return true
  // Also checks nested errors. Node throws an AggregateError with one error per address if a host has several
  // addresses and none can be reached. Drizzle throws an error of its own with the driver's error as `cause`.
  if (error instanceof AggregateError && error.errors.some(isUnavailable)) return true
  return isUnavailable(error.cause)
}
