import { z } from 'zod'
import { defineTask, PermanentError, RetryLaterError, type TaskContext } from '../definitions/define.ts'
import type { HttpAnswer, HttpClient } from './http/http-client.ts'
import type { HttpRequest } from './http/redirect.ts'
import { type HttpRequestInput, httpRequestInput, textOf } from './http/request-input.ts'
import { retryAfterMs } from './http/retry-after.ts'
import type { SignWebhook } from './http/webhook-signature.ts'

/** Its name: callbacks are tasks of this kind. */
export const HTTP_REQUEST = 'http_request'

/** @param sign null where no secret is configured */
export function createHttpRequestTask(http: HttpClient, sign: SignWebhook | null) {
  return defineTask({
    name: HTTP_REQUEST,
    title: 'Send an HTTP request',
    description:
      'Delivers a request to a URL on the public internet; tried again while the other side is away or busy.',
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
    // About a quarter of an hour in all: a restart and a deployment of the other side are survived.
    maxRetries: 10,
    backoff: { baseMs: 1_000, capMs: 3_600_000 },
    timeoutMs: 30_000,
    async run(input, context) {
      const startedMs = performance.now()
      const isExpected = expectationOf(input)
      const request = requestOf(input, context, sign)
      // Path and headers may hold what is nobody's business; the input has them.
      const target = { method: request.method, host: request.url.host, attempt: context.attempt }
      context.log(`Sending ${request.method} to ${request.url.host}`, target)
      const answer = await http.send(request, { isExpected, signal: context.signal })
      const durationMs = Math.round(performance.now() - startedMs)
      context.log(`${answer.url.host} answered ${answer.status}`, {
        status: answer.status,
        duration_ms: durationMs,
      })
      if (!isExpected(answer.status)) throw failureOf(input, answer)
      return {
        status: answer.status,
        headers: shownHeadersOf(answer),
        body: answer.body,
        body_truncated: answer.isBodyTruncated,
        url: answer.url.href,
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
      // A second run of this task carries it again, and the other side can tell that it has been there before.
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

/** W3C Trace Context, 3.2. What came with some request must not break this one. */
function isTraceparent(text: string | undefined): text is string {
  return text !== undefined && /^[0-9a-f]{2}(-[0-9a-f]+)+$/.test(text) && text.length <= 512
}

// The other side is away, busy, or was waiting for us: all of that passes (RFC 9110, 15; RFC 6585, 4; RFC 8470, 5.2).
const PASSING_STATUSES = new Set([408, 425, 429])

function failureOf({ method }: HttpRequestInput, answer: HttpAnswer): Error {
  const { status, body, url, headers } = answer
  const message = `Task "http_request": ${method} ${url.host} answered ${status}${excerptOf(body)}`
  if (status < 500 && !PASSING_STATUSES.has(status)) return new PermanentError(message)
  const delayMs = retryAfterMs(headers['retry-after'], Date.now())
  return delayMs === undefined ? new Error(message) : new RetryLaterError(message, { delayMs })
}

const EXCERPT_LENGTH = 200

function excerptOf(body: string): string {
  const line = body.replace(/[\s\p{Cc}]+/gu, ' ').trim()
  if (line === '') return ''
  return line.length > EXCERPT_LENGTH ? `: ${line.slice(0, EXCERPT_LENGTH).toWellFormed()}…` : `: ${line}`
}

// What one wants to know of an answer later; cookies and the like are not kept.
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

function shownHeadersOf({ headers }: HttpAnswer): Record<string, string> {
  const shown = SHOWN_HEADERS.flatMap((name) => {
    const value = headers[name]
    return value === undefined ? [] : [[name, value.slice(0, MAX_SHOWN_VALUE)] as const]
  })
  return Object.fromEntries(shown)
}
