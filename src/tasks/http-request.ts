import { defineTask, type TaskContext } from '../definitions/define.ts'
import { EXCHANGE_LIMITS, exchange, exchangeResult, traceHeadersOf } from './http/exchange.ts'
import type { HttpClient } from './http/http-client.ts'
import type { HttpRequest } from './http/redirect.ts'
import { type HttpRequestInput, httpRequestInput, textOf } from './http/request-input.ts'

export const HTTP_REQUEST = 'http_request'

/**
 * Creates the definition of `http_request`. Its requests are never signed with a webhook secret, because
 * clients choose their bodies: a client could otherwise forge a callback.
 */
export function createHttpRequestTask(http: HttpClient) {
  return defineTask({
    name: HTTP_REQUEST,
    title: 'Send an HTTP request',
    description:
      'Sends a request to a URL on the public internet. Retried while the server is unreachable or busy.',
    input: httpRequestInput(http.guard),
    output: exchangeResult,
    example: { url: 'https://example.com/hooks', method: 'POST', body: { hello: 'world' } },
    ...EXCHANGE_LIMITS,
    // Ten retries take about a quarter of an hour, so that a request survives a restart or deployment of the
    // server that it is sent to.
    maxRetries: 10,
    run: (input, context) => exchange(http, requestOf(input, context), expectationOf(input), context),
  })
}

function expectationOf({ expect }: HttpRequestInput): (status: number) => boolean {
  const ranges = (expect?.status ?? ['200-299']).map((entry) => String(entry).split('-').map(Number))
  return (status) => ranges.some(([from = 0, to = from]) => from <= status && status <= to)
}

function requestOf(input: HttpRequestInput, context: TaskContext): HttpRequest {
  const { method, url, body } = input
  const callerHeaders = Object.fromEntries(
    Object.entries(input.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
  )
  const text = body === undefined ? undefined : textOf(body)
  const isSafe = method === 'GET' || method === 'HEAD'
  return {
    taskName: HTTP_REQUEST,
    method,
    url: new URL(url),
    callerHeaders,
    ownHeaders: {
      ...(text !== undefined && {
        'content-type': callerHeaders['content-type'] ?? contentTypeOf(body),
      }),
      // The idempotency key is the id of the task. Every attempt sends the same key, so that the server can
      // detect a repeated request.
      ...(!isSafe && !callerHeaders['idempotency-key'] && { 'idempotency-key': context.id }),
      ...(!callerHeaders.traceparent && traceHeadersOf(context)),
    },
    body: text,
  }
}

function contentTypeOf(body: unknown): string {
  return typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json'
}
