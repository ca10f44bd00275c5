// Limits the total size of the large request bodies that a process handles at the same time. A body is in
// memory several times: as text, as parsed values, and as parameters of a statement.
import type { Context, Next } from 'hono'
import { AppError } from '../../base/errors.ts'

// Bodies up to this size are not counted, because counting costs a request another promise. The number of
// connections limits their number.
const UNCOUNTED_BYTES = 16 * 1024
// Minimum of the limit: 512 bodies of the default maximum size.
const MIN_LIMIT_BYTES = 128 * 1024 * 1024
// Number of bodies of the maximum size that may be in progress, if that many exceed `MIN_LIMIT_BYTES`.
const LARGEST_BODIES = 4

export type BodyBudget = ReturnType<typeof createBodyBudget>

/**
 * Returns a function that calls `next`, and counts the body of the request until the handler is done. It runs
 * after admission, so that only clients who may use the API can use up the limit.
 * @throws AppError (the function) `overloaded` if the limit is reached
 */
export function createBodyBudget(maxBodyBytes: number) {
  const limitBytes = Math.max(MIN_LIMIT_BYTES, LARGEST_BODIES * maxBodyBytes)
  let bytesInProgress = 0
  return (c: Context, next: Next): Promise<void> => {
    const bytes = bytesOf(c, maxBodyBytes)
    if (bytes <= UNCOUNTED_BYTES) return next()
    if (bytesInProgress + bytes > limitBytes)
      throw new AppError('overloaded', 'Too many large bodies are being processed; try again')
    bytesInProgress += bytes
    return next().finally(() => {
      bytesInProgress -= bytes
    })
  }
}

/** Size of the body. Without Content-Length it is not known beforehand, and the maximum is assumed. */
function bytesOf(c: Context, maxBodyBytes: number): number {
  const length = c.req.header('Content-Length')
  if (length !== undefined) return Number(length)
  return c.req.header('Transfer-Encoding') === undefined ? 0 : maxBodyBytes
}
