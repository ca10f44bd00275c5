// Reads the problem document (RFC 9457) of an error response.

/** One fault in the body of a request. `pointer` is a JSON Pointer to the field, e.g. `#/input/email`. */
export interface FieldFault {
  pointer: string
  detail: string
}

export interface Problem {
  /** The last part of the problem's `type`, e.g. `invalid_input` of `urn:waggle:problem:invalid_input`. */
  code: string
  detail: string
  errors: FieldFault[]
  retryAfterMs: number
}

interface ErrorResponse {
  status: number
  headers: Headers
  json(): Promise<unknown>
}

/**
 * Returns the problem that an error response describes. Never rejects: if the body is not a JSON object, the
 * problem is derived from the HTTP status.
 */
export async function readProblem(response: ErrorResponse): Promise<Problem> {
  const { status, headers } = response
  const retryAfterMs = retryAfterMsOf(headers.get('Retry-After'))
  const body = await response.json().catch(() => null)
  if (!isRecord(body)) {
    // A status of 502 or more without a JSON body is reported as an unreachable API: it comes from a proxy,
    // because all error responses of the API itself have a JSON body.
    const isAway = status >= 502
    const detail = isAway ? 'The API cannot be reached' : `The API responded with status ${status}`
    return { code: isAway ? 'unreachable' : 'unexpected', detail, errors: [], retryAfterMs }
  }
  return {
    code: codeOf(body.type),
    // Error responses of /health/ready have a `reason` instead of a `detail`.
    detail: firstText(body.detail, body.reason, body.title) ?? `The API responded with status ${status}`,
    errors: Array.isArray(body.errors) ? body.errors.filter(isFieldFault) : [],
    retryAfterMs,
  }
}

// Upper limit of the delay from Retry-After. After half a minute the client may try again, even if the API
// asked for a longer delay.
const MAX_RETRY_AFTER_MS = 30_000

/**
 * Parses Retry-After and returns milliseconds; 0 if the header is missing or not valid. The header contains
 * seconds or a date; proxies send both.
 */
function retryAfterMsOf(header: string | null): number {
  if (header === null) return 0
  const seconds = Number(header)
  const ms = Number.isNaN(seconds) ? Date.parse(header) - Date.now() : seconds * 1_000
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS)
}

function codeOf(type: unknown): string {
  return typeof type === 'string' ? type.slice(type.lastIndexOf(':') + 1) : 'unexpected'
}

function firstText(...values: unknown[]): string | undefined {
  return values.find((value) => typeof value === 'string')
}

function isFieldFault(value: unknown): value is FieldFault {
  return isRecord(value) && typeof value.pointer === 'string' && typeof value.detail === 'string'
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
