// Problems by status, from the one table of error codes.
import { type ErrorCode, HTTP_STATUS } from '../../base/errors.ts'
import { PROBLEM_JSON, type Problem, TITLES, typeOf } from '../http/problem.ts'
import type { HeaderName } from './headers.ts'
import type { Answer, Operation, Schema } from './operation.ts'
import { isLimited } from './security.ts'

/** One sentence that the code may be answered with; each is the example of its code. */
const DETAILS: Record<ErrorCode, string> = {
  malformed_json: 'The body must be valid JSON',
  invalid_header: 'The header Idempotency-Key must not be empty',
  invalid_query: 'Query parameter "wait": must be at most 50 seconds',
  refused_prefetch: 'Submitting a task is not done ahead of a click',
  unauthorized: 'An API key is needed: Authorization: Bearer <key>',
  forbidden: 'This key is not allowed to submit tasks',
  not_found: 'There is nothing here',
  unknown_definition: 'There is no task "notfy". Did you mean "notify"?',
  unknown_task: 'There is no task 01890000-0000-7000-8000-000000000000',
  unknown_worker: 'There is no worker 018f3c9e-0000-4000-8000-000000000000',
  method_not_allowed: '/v1/workers takes GET, HEAD, not POST',
  already_finished: 'Task 01890000-0000-7000-8000-000000000000 is SUCCESS: it has finished',
  not_finished: 'Task 01890000-0000-7000-8000-000000000000 is STARTED: it has not finished',
  idempotency_key_in_flight:
    'The first request with this Idempotency-Key is under way: try again in a moment',
  body_too_large: 'The body must not be larger than 262144 bytes',
  unsupported_media_type: 'The body must be JSON, with Content-Type: application/json',
  range_not_satisfiable: 'The file has no such range',
  invalid_input: 'The body is not valid',
  idempotency_key_reused: 'This Idempotency-Key has been used with another body',
  rate_limited: 'Too many requests: try again in 3 seconds',
  overloaded: 'Too much is waiting to be written: try again in a moment',
  unavailable: 'Postgres cannot be reached',
}

/** What only bugs and unreadable requests are answered with: no caller can act on it. */
const OTHER_TYPES = ['internal_error', 'malformed_request', 'headers_too_large', 'request_timeout']

const CODES = Object.keys(DETAILS).filter(isErrorCode)

/** `Problem404` and so on: which types there are for a status. */
export function createProblemSchemas(): Record<string, Schema> {
  const byStatus = Map.groupBy(CODES, (code) => HTTP_STATUS[code])
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      `Problem${status}`,
      {
        allOf: [
          { $ref: '#/components/schemas/Problem' },
          { properties: { status: { const: status }, type: { enum: codes.map(typeOf) } } },
        ],
      },
    ]),
  )
}

/** Every type of problem there is. */
export function allProblemTypes(): string[] {
  return [...CODES, ...OTHER_TYPES].map(typeOf)
}

export function createProblemExamples(): Record<string, { summary: string; value: Problem }> {
  return Object.fromEntries(CODES.map((code) => [code, { summary: DETAILS[code], value: exampleOf(code) }]))
}

/** The answers of one operation that are problems, by status. */
export function problemAnswers(operation: Operation): Record<string, Answer> {
  const { scope, body, problems } = operation
  const common: ErrorCode[] = [
    ...(scope === null ? [] : (['unauthorized'] as const)),
    ...(scope === null || scope === 'any key' ? [] : (['forbidden'] as const)),
    ...(isLimited(operation) ? (['rate_limited'] as const) : []),
  ]
  const codes = [...problems, ...(body ? (['body_too_large'] as const) : []), ...common]
  const byStatus = Map.groupBy(new Set(codes), (code) => HTTP_STATUS[code])
  const answers = [...byStatus].map(([status, codesOfIt]) => [status, answerOf(status, codesOfIt)] as const)
  return Object.fromEntries(answers)
}

/** What any operation may be answered with when something is wrong that is not its own. */
export const ANY_PROBLEM: Answer = {
  description: 'Any other problem: a request that cannot be read, or a mistake on our side.',
  content: { [PROBLEM_JSON]: { schema: { $ref: '#/components/schemas/Problem' } } },
}

function answerOf(status: number, codes: ErrorCode[]): Answer {
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
  return status === 429 || status === 503 || codes.includes('idempotency_key_in_flight')
    ? ['Retry-After']
    : []
}

function exampleOf(code: ErrorCode): Problem {
  const status = HTTP_STATUS[code]
  return {
    type: typeOf(code),
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
