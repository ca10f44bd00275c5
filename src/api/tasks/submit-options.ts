// Converts a request into the submit options of the task service.
import type { Context } from 'hono'
import type { z } from 'zod'
import type { SubmitOptions } from '../../service/submit.ts'
import type { ApiEnv } from '../http/request-context.ts'
import { idempotencyOf } from './idempotency.ts'
import type { submission } from './task-requests.ts'

/** Options that the client set in the body. Others are absent, so that the definition's defaults apply. */
export function chosenOptions(options: z.output<typeof submission>['options']): SubmitOptions {
  if (!options) return {}
  const { run_at, delay_seconds, max_retries, timeout_seconds, queue, tags, callback_url } = options
  return {
    ...(run_at !== undefined && { runAt: new Date(run_at) }),
    ...(delay_seconds !== undefined && { runAt: new Date(Date.now() + delay_seconds * 1_000) }),
    ...(timeout_seconds !== undefined && { timeoutMs: Math.round(timeout_seconds * 1_000) }),
    ...(max_retries !== undefined && { maxRetries: max_retries }),
    ...(queue !== undefined && { queue }),
    ...(tags !== undefined && { tags }),
    ...(callback_url !== undefined && { callbackUrl: callback_url }),
  }
}

/**
 * Request id, trace and idempotency of a request.
 * @param operation the operation for which an Idempotency-Key is valid
 * @throws AppError `invalid_header`, `invalid_input`
 */
export function originOf(
  c: Context<ApiEnv>,
  operation: string,
  body: unknown,
): Pick<SubmitOptions, 'requestId' | 'traceparent' | 'idempotency'> {
  return { ...correlationOf(c), idempotency: idempotencyOf(c, operation, body)?.() }
}

/** Ids that link a task to its request in logs and traces. */
export function correlationOf(c: Context<ApiEnv>): Pick<SubmitOptions, 'requestId' | 'traceparent'> {
  return { requestId: c.get('requestId'), traceparent: c.get('traceparent') }
}
