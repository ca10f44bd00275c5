// `AppError` is an error that a client can act on. For all other errors, clients get "Internal error", and
// the details are logged.

/** Maps each error code of the API to the HTTP status of its responses. */
export const HTTP_STATUS = {
  malformed_json: 400,
  invalid_header: 400,
  invalid_query: 400,
  refused_prefetch: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  unknown_definition: 404,
  unknown_task: 404,
  unknown_worker: 404,
  unknown_schedule: 404,
  method_not_allowed: 405,
  already_finished: 409,
  not_finished: 409,
  unique_task_exists: 409,
  schedule_in_code: 409,
  schedule_refused: 409,
  idempotency_key_in_flight: 409,
  body_too_large: 413,
  unsupported_media_type: 415,
  range_not_satisfiable: 416,
  invalid_input: 422,
  idempotency_key_reused: 422,
  rate_limited: 429,
  overloaded: 503,
  unavailable: 503,
  outcome_unknown: 504,
} as const satisfies Record<string, number>

export type ErrorCode = keyof typeof HTTP_STATUS

/** A validation error in a request. `pointer` is a JSON Pointer as URI fragment, e.g. `#/input/email`. */
export interface Fault {
  pointer: string
  detail: string
}

/** An error that is shown to the client. Its message says which value is wrong and what was expected. */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly faults: Fault[]

  constructor(code: ErrorCode, message: string, options: { faults?: Fault[]; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.name = 'AppError'
    this.code = code
    this.faults = options.faults ?? []
  }
}

/** Checks whether a thrown value is an `AppError`, with this code if one is given. */
export function isAppError(error: unknown, code?: ErrorCode): error is AppError {
  return error instanceof AppError && (code === undefined || error.code === code)
}

/** Returns the message of a thrown value, which may be of any type; never empty, never throws. */
export function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message || error.name : error) || 'unknown error'
  } catch {
    // `String()` throws for some values, for example an object without a prototype.
    return 'unknown error'
  }
}
