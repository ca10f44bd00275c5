// The internal task that posts a finished task to its `callback_url`.
import { z } from 'zod'
import { defineTask, type TaskContext } from '../definitions/define.ts'
import { EXCHANGE_LIMITS, exchange, exchangeResult, traceHeadersOf } from './http/exchange.ts'
import type { HttpClient } from './http/http-client.ts'
import type { HttpRequest } from './http/redirect.ts'
import { textOf } from './http/request-input.ts'
import { targetUrl } from './http/target-url.ts'
import type { SignWebhook } from './http/webhook-signature.ts'

/** Name of the definition of callbacks. It is internal: only Waggle creates such tasks. */
export const CALLBACK = 'callback'

/**
 * Creates the definition of `callback`. It is the only one whose requests are signed with the webhook secret.
 * So it must stay internal: a valid signature proves that Waggle has created the body.
 * @param sign signs requests; null if no webhook secret is configured
 */
export function createCallbackTask(http: HttpClient, sign: SignWebhook | null) {
  return defineTask({
    name: CALLBACK,
    title: 'Post a finished task',
    description:
      'Posts a finished task to its callback_url. Retried while the server is unreachable or busy.',
    // The body has no limit of its own, because it contains a result of up to 1 MiB.
    input: z.strictObject({ url: targetUrl(http.guard), body: z.unknown() }),
    output: exchangeResult,
    example: { url: 'https://example.com/hooks', body: { type: 'task.success', data: {} } },
    ...EXCHANGE_LIMITS,
    // The retries take two to four hours. After that, a failed callback is not repeated automatically.
    maxRetries: 15,
    run: (input, context) => exchange(http, requestOf(input, context, sign), isSuccess, context),
  })
}

function isSuccess(status: number): boolean {
  return 200 <= status && status <= 299
}

type CallbackInput = { url: string; body: unknown }

function requestOf(
  { url, body }: CallbackInput,
  context: TaskContext,
  sign: SignWebhook | null,
): HttpRequest {
  const text = textOf(body)
  return {
    taskName: CALLBACK,
    method: 'POST',
    url: new URL(url),
    callerHeaders: {},
    ownHeaders: {
      'content-type': 'application/json',
      // Every attempt sends the same key, so that the receiver can detect a repeated callback.
      'idempotency-key': context.id,
      ...traceHeadersOf(context),
      ...sign?.(context.id, text, new Date()),
    },
    body: text,
  }
}
