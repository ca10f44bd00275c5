// Error responses: RFC 9457, application/problem+json. They never contain a stack trace, SQL or a file path.
import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { z } from 'zod'
import { AppError, type Fault, HTTP_STATUS, isAppError } from '../../base/errors.ts'
import type { Events } from '../../telemetry/events.ts'

/** Problem types that have no `ErrorCode`: internal errors, and requests that are not valid HTTP. */
const OTHER_TYPES = ['internal_error', 'malformed_request', 'headers_too_large', 'request_timeout']

/** One fault in the body that the client sent. */
export const faultSchema = z.object({
  pointer: z.string().meta({ description: 'JSON Pointer to the member, as URI fragment: `#/input/email`' }),
  detail: z.string(),
})

/** Body of every error response (RFC 9457). `errors` lists the faults in the body that the client sent. */
export const problemSchema = z.object({
  type: z.string().meta({ enum: [...Object.keys(HTTP_STATUS), ...OTHER_TYPES].map(problemTypeOf) }),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  instance: z.string().meta({ description: 'Path of the request' }),
  errors: z.array(faultSchema).optional(),
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
  504: 'Gateway Timeout',
}

export const PROBLEM_JSON = 'application/problem+json'
// Retry-After of 503 and 504 responses: long enough for a restart of Postgres, short enough for a person to
// wait.
const RETRY_AFTER_SECONDS = 2

/**
 * Returns the error response for a thrown value. A value that is neither an AppError nor a failure to read
 * the body is unexpected: the client gets "Internal error", and `error.unexpected` is emitted with the value.
 */
export function problemResponse(error: unknown, c: Context, events: Events): Response {
  const problem = describeProblem(error, c, events)
  if (problem.status === 503 || problem.status === 504) c.header('Retry-After', String(RETRY_AFTER_SECONDS))
  // An earlier request with the same Idempotency-Key is still inserting its task. Asks the client to retry
  // after 1 s: by then the insert has usually ended, and the retry gets the response to the earlier request.
  if (isAppError(error, 'idempotency_key_in_flight')) c.header('Retry-After', '1')
  return c.body(JSON.stringify(problem), problem.status, { 'Content-Type': PROBLEM_JSON })
}

/**
 * Returns the problem document for a thrown value: the body of an error response, or the `problem` of a
 * rejected task in a batch. Emits `error.unexpected` for an unexpected error, and `error.transient` if
 * Postgres cannot be reached or does not confirm a write.
 */
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
  if (known.code === 'unavailable' || known.code === 'outcome_unknown')
    events.emit('error.transient', { where: 'request', error: known })
  return problem(c, HTTP_STATUS[known.code], known.code, known.message, known.faults)
}

/** Returns the error for a request that no route matches. @param hint appended to the message */
export function noRouteError(c: Context, hint?: string): AppError {
  const detail = `No route matches ${c.req.method} ${shortPath(c)}`
  return new AppError('not_found', hint === undefined ? detail : `${detail}: ${hint}`)
}

/** Returns the path of the request for use in an error message, cut to 200 characters. */
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

/** Returns a problem for a request that could not be parsed. Its path is not known, so `instance` is `/`. */
export function malformedRequestProblem(status: ContentfulStatusCode, code: string, detail: string): Problem {
  return { type: problemTypeOf(code), title: TITLES[status] ?? 'Error', status, detail, instance: '/' }
}

function knownError(error: unknown): AppError | undefined {
  if (isAppError(error)) return error
  // The client disconnected while it sent the body. It never reads the response; the AppError only keeps this
  // from being reported as an unexpected error of the server.
  if (error instanceof Error && 'code' in error && error.code === 'ECONNRESET') {
    return new AppError('malformed_json', 'The body ended before it was complete', { cause: error })
  }
  // Hono's validators throw an HTTPException with status 400 for a malformed body. Without this case it would
  // be reported as an unexpected error of the server.
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
