import { z } from 'zod'
import { defineTask, PermanentError, RetryLaterError, type TaskContext } from '../definitions/define.ts'
import type { HttpClient, HttpResponse } from './http/http-client.ts'
import type { HttpRequest } from './http/redirect.ts'
import { type HttpRequestInput, httpRequestInput, textOf } from './http/request-input.ts'
import { retryAfterMs } from './http/retry-after.ts'
import type { SignWebhook } from './http/webhook-signature.ts'

/** Name of the task definition that sends a request. Callbacks are tasks of this definition too. */
export const HTTP_REQUEST = 'http_request'

/**
 * Creates the definition of `http_request`.
 * @param sign signs requests; null if no webhook secret is configured
 */
export function createHttpRequestTask(http: HttpClient, sign: SignWebhook | null) {
  return defineTask({
    name: HTTP_REQUEST,
    title: 'Send an HTTP request',
    description:
      'Sends a request to a URL on the public internet. Retried while the server is unreachable or busy.',
    input: httpRequestInput(http.guard),
    output: z.object({
      status: z.int(),
      headers: z.record(z.string(), z.string()),
      body: z.string(),
      body_truncated: z.boolean(),
      url: z.string(),
      duration_ms: z.int(),
    }),
    example: { url: 'https://example.com/hooks', method: 'POST', body: { hello: 'world' } },
    // Ten retries take about a quarter of an hour, so that a request survives a restart or deployment of the
    // server that it is sent to.
    maxRetries: 10,
    backoff: { baseMs: 1_000, capMs: 3_600_000 },
    timeoutMs: 30_000,
    async run(input, context) {
      const startedMs = performance.now()
      const isExpected = expectationOf(input)
      const request = requestOf(input, context, sign)
      // Logs neither the path nor the headers of the request, because they may contain secrets. Both can be
      // read in the input of the task.
      const target = { method: request.method, host: request.url.host, attempt: context.attempt }
      context.log(`Sending ${request.method} to ${request.url.host}`, target)
      const response = await http.send(request, { isExpected, signal: context.signal })
      const durationMs = Math.round(performance.now() - startedMs)
      context.log(`${response.url.host} answered ${response.status}`, {
        status: response.status,
        duration_ms: durationMs,
      })
      if (!isExpected(response.status)) throw failureOf(input, response)
      return {
        status: response.status,
        headers: shownHeadersOf(response),
        body: response.body,
        body_truncated: response.isBodyTruncated,
        url: response.url.href,
        duration_ms: durationMs,
      }
    },
  })
}

function expectationOf({ expect }: HttpRequestInput): (status: number) => boolean {
  const ranges = (expect?.status ?? ['200-299']).map((entry) => String(entry).split('-').map(Number))
  return (status) => ranges.some(([from = 0, to = from]) => from <= status && status <= to)
}

function requestOf(input: HttpRequestInput, context: TaskContext, sign: SignWebhook | null): HttpRequest {
  const { method, url, body } = input
  if (input.sign && !sign)
    throw new PermanentError('Task "http_request": cannot sign, WEBHOOK_SECRET is not set')
  const callerHeaders = Object.fromEntries(
    Object.entries(input.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
  )
  const text = body === undefined ? undefined : textOf(body)
  const isSafe = method === 'GET' || method === 'HEAD'
  return {
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
      ...(isTraceparent(context.traceparent) &&
        !callerHeaders.traceparent && { traceparent: context.traceparent }),
      ...(input.sign !== false && sign?.(context.id, text ?? '', new Date())),
    },
    body: text,
  }
}

function contentTypeOf(body: unknown): string {
  return typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json'
}

/**
 * Checks whether a text has the format of a traceparent header (W3C Trace Context, 3.2). The text comes from
 * a client, and an invalid header value would break the outgoing request.
 */
function isTraceparent(text: string | undefined): text is string {
  return text !== undefined && /^[0-9a-f]{2}(-[0-9a-f]+)+$/.test(text) && text.length <= 512
}

// Statuses 4xx that are retried, because they are temporary: 408 Request Timeout (RFC 9110, 15.5.9), 425 Too
// Early (RFC 8470, 5.2) and 429 Too Many Requests (RFC 6585, 4). Other 4xx fail the task immediately.
const TEMPORARY_STATUSES = new Set([408, 425, 429])

function failureOf({ method }: HttpRequestInput, response: HttpResponse): Error {
  const { status, body, url, headers } = response
  const message = `Task "http_request": ${method} ${url.host} answered ${status}${excerptOf(body)}`
  if (status < 500 && !TEMPORARY_STATUSES.has(status)) return new PermanentError(message)
  const delayMs = retryAfterMs(headers['retry-after'], Date.now())
  return delayMs === undefined ? new Error(message) : new RetryLaterError(message, { delayMs })
}

const EXCERPT_LENGTH = 200

function excerptOf(body: string): string {
  const line = body.replace(/[\s\p{Cc}]+/gu, ' ').trim()
  if (line === '') return ''
  return line.length > EXCERPT_LENGTH ? `: ${line.slice(0, EXCERPT_LENGTH).toWellFormed()}…` : `: ${line}`
}

// Response headers that are stored in the result of the task. Others, such as cookies, are not stored.
const SHOWN_HEADERS = [
  'content-type',
  'content-length',
  'date',
  'etag',
  'last-modified',
  'location',
  'retry-after',
  'x-request-id',
]
const MAX_SHOWN_VALUE = 1_000

function shownHeadersOf({ headers }: HttpResponse): Record<string, string> {
  const shown = SHOWN_HEADERS.flatMap((name) => {
    const value = headers[name]
    return value === undefined ? [] : [[name, value.slice(0, MAX_SHOWN_VALUE)] as const]
  })
  return Object.fromEntries(shown)
}
