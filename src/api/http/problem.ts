// Every error that leaves the API: RFC 9457, application/problem+json. Never a stack, never SQL, never a path.
import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { z } from 'zod'
import { AppError, type Fault, HTTP_STATUS, isAppError } from '../../base/errors.ts'
import type { Events } from '../../telemetry/events.ts'

/** RFC 9457. `errors` names every fault of a document. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  instance: z.string().meta({ description: 'Path of the request' }),
  errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
})

export type Problem = z.infer<typeof problemSchema> & { status: ContentfulStatusCode }

export const TITLES: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

export const PROBLEM_JSON = 'application/problem+json'
// Long enough for a restart of the database, short enough for a person to wait.
const RETRY_AFTER_SECONDS = 2

/** The answer to whatever a handler threw. What is no AppError is a bug: logged whole, shown as "Internal error". */
export function problemOf(error: unknown, c: Context, events: Events): Response {
  const problem = describeProblem(error, c, events)
  if (problem.status === 503) c.header('Retry-After', String(RETRY_AFTER_SECONDS))
  // What may be tried again in a moment: the first request with the key is being written.
  if (isAppError(error, 'idempotency_key_in_flight')) c.header('Retry-After', '1')
  return c.body(JSON.stringify(problem), problem.status, { 'Content-Type': PROBLEM_JSON })
}

/** The same without an answer around it, as it stands among the answers to a batch. */
export function describeProblem(error: unknown, c: Context, events: Events): Problem {
  const known = knownError(error)
  if (!known) {
    events.emit('error.unexpected', {
      where: `${c.req.method} ${c.req.path}`,
      error,
      requestId: c.get('requestId'),
    })
    return problem(c, 500, 'internal_error', 'Internal error')
  }
  if (known.code === 'unavailable') events.emit('error.transient', { where: 'request', error: known })
  return problem(c, HTTP_STATUS[known.code], known.code, known.message, known.faults)
}

/** The answer to what is no request at all: a path or a host that no URL can be made of. */
export function malformedRequestResponse(): Response {
  const problem = malformedRequestProblem(
    400,
    'malformed_request',
    'The path or the host of this request is not valid',
  )
  return new Response(JSON.stringify(problem), { status: 400, headers: { 'Content-Type': PROBLEM_JSON } })
}

/** A problem without a request whose path it could name. */
export function malformedRequestProblem(status: ContentfulStatusCode, code: string, detail: string): Problem {
  return { type: typeOf(code), title: TITLES[status] ?? 'Error', status, detail, instance: '/' }
}

function knownError(error: unknown): AppError | undefined {
  if (isAppError(error)) return error
  // The client went away while it was sending. Nobody reads the answer, and nothing is wrong here.
  if (error instanceof Error && 'code' in error && error.code === 'ECONNRESET') {
    return new AppError('malformed_json', 'The body ended before it was complete', { cause: error })
  }
  // Hono's own validators and body parsers speak of a bad body this way.
  if (error instanceof HTTPException && error.status === 400) {
    return new AppError('malformed_json', 'The body must be valid JSON', { cause: error })
  }
  return undefined
}

function problem(
  c: Context,
  status: ContentfulStatusCode,
  code: string,
  detail: string,
  faults: Fault[] = [],
): Problem {
  return {
    type: typeOf(code),
    title: TITLES[status] ?? 'Error',
    status,
    detail,
    instance: c.req.path,
    ...(faults.length > 0 && { errors: faults }),
  }
}

export function typeOf(code: string): string {
  return `urn:waggle:problem:${code}`
}
