// From a request to what the service is told beside the input.
import type { Context } from 'hono'
import type { z } from 'zod'
import type { SubmitOptions } from '../../service/task-service.ts'
import type { ApiEnv } from '../http/request-context.ts'
import { idempotencyOf } from './idempotency.ts'
import type { submission } from './task-requests.ts'

/** What the caller chose. Members that were not given are absent, so that defaults stay. */
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
 * Where the request comes from, and what makes it count once.
 * @param operation what an Idempotency-Key is valid for
 * @throws AppError `invalid_header`
 */
export function originOf(
  c: Context<ApiEnv>,
  operation: string,
  body: unknown,
): Pick<SubmitOptions, 'requestId' | 'traceparent' | 'idempotency'> {
  return { ...correlationOf(c), idempotency: idempotencyOf(c, operation, body)?.() }
}

/** What leads from a task back to its request. */
export function correlationOf(c: Context<ApiEnv>): Pick<SubmitOptions, 'requestId' | 'traceparent'> {
  return { requestId: c.get('requestId'), traceparent: c.get('traceparent') }
}
