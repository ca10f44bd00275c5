// Sends the request of a task, logs it, and makes a result or an error of the response.
import { z } from 'zod'
import { PermanentError, RetryLaterError, type TaskContext } from '../../definitions/define.ts'
import type { HttpClient, HttpResponse } from './http-client.ts'
import type { HttpRequest } from './redirect.ts'
import { retryAfterMs } from './retry-after.ts'

/** Result of a task that sends a request. */
export const exchangeResult = z.object({
  status: z.int(),
  headers: z.record(z.string(), z.string()),
  body: z.string(),
  body_truncated: z.boolean(),
  url: z.string(),
  duration_ms: z.int(),
})

/** Backoff and timeout of tasks that send a request. */
export const EXCHANGE_LIMITS = {
  backoff: { baseMs: 1_000, capMs: 3_600_000 },
  timeoutMs: 30_000,
}

/**
 * Sends a request and returns the result of its task.
 * @param isExpected checks whether a status is a success
 * @throws PermanentError if another attempt would get the same response; Error or RetryLaterError otherwise
 */
export async function exchange(
  http: HttpClient,
  request: HttpRequest,
  isExpected: (status: number) => boolean,
  context: TaskContext,
): Promise<z.output<typeof exchangeResult>> {
  const startedMs = performance.now()
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
  if (!isExpected(response.status)) throw failureOf(request, response)
  return {
    status: response.status,
    headers: shownHeadersOf(response),
    body: response.body,
    body_truncated: response.isBodyTruncated,
    url: response.url.href,
    duration_ms: durationMs,
  }
}

/** Returns the headers that continue the trace of the task; none if its `traceparent` is not valid. */
export function traceHeadersOf({ traceparent }: TaskContext): Record<string, string> {
  return isTraceparent(traceparent) ? { traceparent } : {}
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

function failureOf({ taskName, method }: HttpRequest, response: HttpResponse): Error {
  const { status, body, url, headers } = response
  const message = `Task "${taskName}": ${method} ${url.host} answered ${status}${excerptOf(body)}`
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
