// Describes error responses (problem documents, RFC 9457) in OpenAPI: their schemas and examples are derived
// from the table of error codes.
import { z } from 'zod'
import { type ErrorCode, HTTP_STATUS } from '../../base/errors.ts'
import {
  faultSchema,
  PROBLEM_JSON,
  type Problem,
  problemSchema,
  problemTypeOf,
  TITLES,
} from '../http/problem.ts'
import type { HeaderName } from './headers.ts'
import type { Operation, OperationResponse, Schema } from './operation.ts'
import type { ParameterName } from './parameters.ts'
import { isLimited } from './security.ts'

/** An example of `detail`, the explanation in a problem document, for each error code. */
const DETAILS: Record<ErrorCode, string> = {
  malformed_json: 'The body must be valid JSON',
  invalid_header: 'Idempotency-Key: must be 1 to 255 visible ASCII characters',
  invalid_query: 'Query parameter "wait": must be at most 50 seconds',
  refused_prefetch: 'This link submits a task: it accepts neither HEAD nor a prefetch',
  unauthorized: 'This request needs an API key: send it as Authorization: Bearer <key>, or as X-API-Key',
  forbidden: 'This request needs an API key with the scope "submit"',
  not_found: 'No route matches GET /mcp',
  unknown_definition: 'There is no task "notfy". Did you mean "notify"?',
  unknown_task: 'There is no task 01890000-0000-7000-8000-000000000000',
  unknown_worker: 'There is no worker 018f3c9e-0000-4000-8000-000000000000',
  unknown_schedule: 'There is no schedule "nightly"',
  method_not_allowed: '/v1/workers takes GET, HEAD, not POST',
  already_finished: 'Task 01890000-0000-7000-8000-000000000000 is SUCCESS: it has finished',
  not_finished:
    'Task 01890000-0000-7000-8000-000000000000 is STARTED: only a task that ended as FAILURE or CANCELLED can be retried',
  unique_task_exists:
    'Task 01890000-0000-7000-8000-000000000000 cannot be retried: task 01890000-0000-7000-8000-000000000001 has the same unique key and has not ended',
  schedule_in_code:
    'Schedule "nightly" is part of the code of the project: change it there. It can be paused, resumed and run here',
  schedule_refused:
    'Schedule "nightly" makes no tasks: There is no task "report" in this version of the code',
  idempotency_key_in_flight:
    'The first request with this Idempotency-Key is still being processed: try again in a second',
  body_too_large: 'The body must not be larger than 262144 bytes',
  unsupported_media_type: 'The body must be JSON, with Content-Type: application/json',
  range_not_satisfiable: 'The file has no such range',
  invalid_input: 'The body is not valid',
  idempotency_key_reused: 'This Idempotency-Key was already used with another body',
  rate_limited: 'More than 100 requests in 60 s: try again in 3 s',
  overloaded: 'Too many task submissions are waiting; try again',
  unavailable: 'The database cannot be reached',
  outcome_unknown:
    'Postgres did not confirm the submission: it may have been accepted. Repeat it with the same Idempotency-Key',
}

const CODES = Object.keys(DETAILS).filter(isErrorCode)

/**
 * Any problem, and one schema per HTTP status, e.g. `Problem404`, with the problem types of this status. These
 * schemas are complete and do not extend `Problem` by `allOf`: not all generators of clients can merge them.
 */
export const PROBLEM_SCHEMAS: Record<string, Schema> = {
  Problem: problemSchema,
  Fault: faultSchema,
  ...Object.fromEntries(
    [...Map.groupBy(CODES, (code) => HTTP_STATUS[code])].map(([status, codes]) => [
      `Problem${status}`,
      problemSchema.extend({ status: z.literal(status), type: z.enum(codes.map(problemTypeOf)) }),
    ]),
  ),
}

export function createProblemExamples(): Record<string, { summary: string; value: Problem }> {
  return Object.fromEntries(CODES.map((code) => [code, { summary: DETAILS[code], value: exampleOf(code) }]))
}

/** Error codes of every operation with a body. */
const OF_BODY: ErrorCode[] = ['malformed_json', 'unsupported_media_type', 'invalid_input', 'body_too_large']

/** Error codes of every operation with one of these parameters. */
const OF_PARAMETER: Partial<Record<ParameterName, ErrorCode[]>> = {
  TaskId: ['unknown_task'],
  WorkerId: ['unknown_worker'],
  QueueName: ['not_found'],
  ScheduleName: ['unknown_schedule'],
  DocsFile: ['not_found'],
  IdempotencyKey: ['invalid_header', 'idempotency_key_in_flight', 'idempotency_key_reused'],
}

/**
 * Returns the error responses of one operation by status. Adds the errors that follow from its access,
 * parameters, query and body to those that the operation lists.
 */
export function problemResponses(operation: Operation): Record<string, OperationResponse> {
  const { access, query, body, parameters = [], problems = [] } = operation
  const codes: ErrorCode[] = [
    ...problems,
    ...(query ? (['invalid_query'] as const) : []),
    ...(body ? OF_BODY : []),
    ...parameters.flatMap((name) => (typeof name === 'string' ? (OF_PARAMETER[name] ?? []) : [])),
    ...(access === null ? [] : (['unauthorized'] as const)),
    ...(access === null || access === 'any key' ? [] : (['forbidden'] as const)),
    ...(isLimited(operation) ? (['rate_limited'] as const) : []),
  ]
  const byStatus = Map.groupBy(new Set(codes), (code) => HTTP_STATUS[code])
  return Object.fromEntries(
    [...byStatus].map(([status, codesOfStatus]) => [status, responseOf(status, codesOfStatus)] as const),
  )
}

/** The `default` response of every operation: an error that the operation does not list. */
export const ANY_PROBLEM: OperationResponse = {
  description: 'Any other problem, such as a malformed request or an internal error.',
  content: { [PROBLEM_JSON]: { schema: { $ref: '#/components/schemas/Problem' } } },
}

function responseOf(status: number, codes: ErrorCode[]): OperationResponse {
  return {
    description: `${TITLES[status]}: ${codes.map((code) => `\`${code}\``).join(', ')}`,
    headers: headersOf(status, codes),
    content: {
      [PROBLEM_JSON]: {
        schema: { $ref: `#/components/schemas/Problem${status}` },
        examples: Object.fromEntries(codes.map((code) => [code, { $ref: `#/components/examples/${code}` }])),
      },
    },
  }
}

function headersOf(status: number, codes: ErrorCode[]): HeaderName[] {
  if (status === 401) return ['WWW-Authenticate']
  return status === 429 || status >= 503 || codes.includes('idempotency_key_in_flight') ? ['Retry-After'] : []
}

function exampleOf(code: ErrorCode): Problem {
  const status = HTTP_STATUS[code]
  return {
    type: problemTypeOf(code),
    title: TITLES[status] ?? 'Error',
    status,
    detail: DETAILS[code],
    instance: '/v1/tasks/notify',
    ...(code === 'invalid_input' && {
      errors: [{ pointer: '#/input/email', detail: 'must be an e-mail address' }],
    }),
  }
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(HTTP_STATUS, code)
}
