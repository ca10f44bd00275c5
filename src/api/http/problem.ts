// Error responses: RFC 9457, application/problem+json. They never contain a stack trace, SQL or a file path.
import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { z } from 'zod'
import { AppError, type Fault, HTTP_STATUS, isAppError } from '../../base/errors.ts'
import type { Events } from '../../telemetry/events.ts'

/** RFC 9457. `errors` lists the faults of the document that the client sent. */
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
// Long enough for a restart of Postgres, short enough for a person to wait.
const RETRY_AFTER_SECONDS = 2

/**
 * Returns the response to an error. An error that is not an AppError is unexpected: the event
 * `error.unexpected` carries it with all details, the client gets "Internal error".
 */
export function problemResponse(error: unknown, c: Context, events: Events): Response {
  const problem = describeProblem(error, c, events)
  if (problem.status === 503) c.header('Retry-After', String(RETRY_AFTER_SECONDS))
  // The first request with this key is being written; a retry after a second usually gets its response.
  if (isAppError(error, 'idempotency_key_in_flight')) c.header('Retry-After', '1')
  return c.body(JSON.stringify(problem), problem.status, { 'Content-Type': PROBLEM_JSON })
}

/** Returns the problem alone, for an item of a batch response. Emits the same events as `problemResponse`. */
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

/** Returns the error for a request that no route matches. @param hint appended to the message */
export function noRouteError(c: Context, hint?: string): AppError {
  const detail = `No route matches ${c.req.method} ${shortPath(c)}`
  return new AppError('not_found', hint === undefined ? detail : `${detail}: ${hint}`)
}

/** Returns the path of the request, cut to a length that is fit for a message. */
export function shortPath(c: Context): string {
  return c.req.path.slice(0, 200)
}

/** Returns the response to a request whose path or host does not form a valid URL. */
export function malformedRequestResponse(): Response {
  const problem = malformedRequestProblem(
    400,
    'malformed_request',
    'The path or the host of this request is not valid',
  )
  return new Response(JSON.stringify(problem), { status: 400, headers: { 'Content-Type': PROBLEM_JSON } })
}

/** Returns a problem for a request whose path is not known. */
export function malformedRequestProblem(status: ContentfulStatusCode, code: string, detail: string): Problem {
  return { type: problemTypeOf(code), title: TITLES[status] ?? 'Error', status, detail, instance: '/' }
}

function knownError(error: unknown): AppError | undefined {
  if (isAppError(error)) return error
  // The client disconnected while sending. It does not read the response, and the server has no fault.
  if (error instanceof Error && 'code' in error && error.code === 'ECONNRESET') {
    return new AppError('malformed_json', 'The body ended before it was complete', { cause: error })
  }
  // Hono's validators and body parsers throw this for a body that they cannot parse.
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
    type: problemTypeOf(code),
    title: TITLES[status] ?? 'Error',
    status,
    detail,
    instance: c.req.path,
    ...(faults.length > 0 && { errors: faults }),
  }
}

export function problemTypeOf(code: string): string {
  return `urn:waggle:problem:${code}`
}
