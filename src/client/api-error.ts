// The error with which all calls of the client reject.
import type { FieldFault } from './problem.ts'

// Codes of transient errors whose status is neither 429 nor 503. `outcome_unknown` is repeated for
// submissions, which have an idempotency key. Manual retries are not repeated.
const TRANSIENT_CODES = new Set(['idempotency_key_in_flight', 'unreachable', 'outcome_unknown'])

/** A failed call: the error response of the API, or the reason why there was no response. */
export class ApiError extends Error {
  /** HTTP status of the response; 0 if there was no response. */
  readonly status: number
  /**
   * Error code of the API (the last part of the problem's `type`), e.g. `invalid_input`. Codes of the client
   * itself: `unreachable` (no response from the API), `aborted` (by the caller's AbortSignal), `timed_out`
   * (`waitFor`), and `unexpected` (an error response without a problem document).
   */
  readonly code: string
  /** Explanation of the error for the user; equals `message`. */
  readonly detail: string
  readonly errors: FieldFault[]
  /**
   * Delay that the API requests before the next try (Retry-After): at most 30 seconds, 0 if it requests none.
   */
  readonly retryAfterMs: number

  constructor(
    status: number,
    code: string,
    detail: string,
    more: { errors?: FieldFault[]; retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(detail, { cause: more.cause })
    this.name = 'ApiError'
    this.status = status
    this.code = code
    this.detail = detail
    this.errors = more.errors ?? []
    this.retryAfterMs = more.retryAfterMs ?? 0
  }

  /** Whether the same request may succeed a little later, e.g. because the API is unreachable or busy. */
  get isTransient(): boolean {
    return TRANSIENT_CODES.has(this.code) || this.status === 429 || this.status === 503
  }
}
