// Converts a request into the submit options of the task service.
import type { Context } from 'hono'
import type { z } from 'zod'
import type { SubmitOptions } from '../../service/submit.ts'
import type { ApiEnv } from '../http/request-context.ts'
import { idempotencyOf } from './idempotency.ts'
import type { submission } from './task-requests.ts'

/**
 * Converts the options of a request body. Options that the client did not set are absent in the result, so
 * that the defaults of the definition apply, or in a replay the options of the original task.
 */
export function chosenOptions(options: z.output<typeof submission>['options']): SubmitOptions {
  if (!options) return {}
  const { run_at, delay_seconds, expires_at, expires_in_seconds } = options
  const { priority, max_retries, timeout_seconds, queue, tags, callback_url } = options
  return {
    ...(run_at !== undefined && { runAt: new Date(run_at) }),
    ...(delay_seconds !== undefined && { runAt: new Date(Date.now() + delay_seconds * 1_000) }),
    ...(expires_at !== undefined && { expiresAt: new Date(expires_at) }),
    ...(expires_in_seconds !== undefined && { expiresAt: new Date(Date.now() + expires_in_seconds * 1_000) }),
    ...(priority !== undefined && { priority }),
    ...(timeout_seconds !== undefined && { timeoutMs: Math.round(timeout_seconds * 1_000) }),
    ...(max_retries !== undefined && { maxRetries: max_retries }),
    ...(queue !== undefined && { queue }),
    ...(tags !== undefined && { tags }),
    ...(callback_url !== undefined && { callbackUrl: callback_url }),
  }
}

/**
 * Returns the submit options that identify the request: its id, its trace context, and hashes of its
 * Idempotency-Key and body.
 * @param operation path or name of the operation; an Idempotency-Key is valid for one operation only
 * @throws AppError `invalid_header`, `invalid_input`
 */
export function originOf(
  c: Context<ApiEnv>,
  operation: string,
  body: unknown,
): Pick<SubmitOptions, 'requestId' | 'traceparent' | 'idempotency'> {
  return { ...correlationOf(c), idempotency: idempotencyOf(c, operation, body)?.() }
}

/** Returns the ids that link a task to the request that submitted it, in logs and traces. */
export function correlationOf(c: Context<ApiEnv>): Pick<SubmitOptions, 'requestId' | 'traceparent'> {
  return { requestId: c.get('requestId'), traceparent: c.get('traceparent') }
}
