// Reads the problem document (RFC 9457) of an answer that is no good news.

/** One thing that is wrong in what was sent; `pointer` is a JSON Pointer such as `#/input/email`. */
export interface FieldFault {
  pointer: string
  detail: string
}

export interface Problem {
  /** The last part of its type. */
  code: string
  detail: string
  errors: FieldFault[]
  retryAfterMs: number
}

interface Answer {
  status: number
  headers: Headers
  json(): Promise<unknown>
}

/** Never rejects: makes the best of whatever came. */
export async function readProblem(answer: Answer): Promise<Problem> {
  const { status, headers } = answer
  const retryAfterMs = retryAfterMsOf(headers.get('Retry-After'))
  const body = await answer.json().catch(() => null)
  if (!isRecord(body)) {
    // Every error of the API is JSON: a gateway error without it comes from a proxy that does not find the API.
    const isAway = status >= 502
    const detail = isAway ? 'The API cannot be reached' : `The API answered ${status}`
    return { code: isAway ? 'unreachable' : 'unexpected', detail, errors: [], retryAfterMs }
  }
  return {
    code: codeOf(body.type),
    // The answer about its health has a reason.
    detail: firstText(body.detail, body.reason, body.title) ?? `The API answered ${status}`,
    errors: Array.isArray(body.errors) ? body.errors.filter(isFieldFault) : [],
    retryAfterMs,
  }
}

// Whoever was told to wait for longer may as well look again.
const LONGEST_RETRY_AFTER_MS = 30_000

/** Seconds, or a date: proxies send both. */
function retryAfterMsOf(header: string | null): number {
  if (header === null) return 0
  const seconds = Number(header)
  const ms = Number.isNaN(seconds) ? Date.parse(header) - Date.now() : seconds * 1_000
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(ms, 0), LONGEST_RETRY_AFTER_MS)
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
