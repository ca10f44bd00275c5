// What came back from the API: a value, or a fault in words that a person can act on.

/** One thing that is wrong in what was sent; `pointer` is a JSON Pointer such as `#/input/email`. */
export interface FieldFault {
  pointer: string
  detail: string
}

export interface ApiFault {
  /**
   * unreachable: no answer from the API at all. unavailable: an answer that may be another one later.
   * refused: an answer that stays the same. aborted: we stopped asking.
   */
  kind: 'unreachable' | 'unavailable' | 'refused' | 'aborted'
  /** HTTP status; 0 where there was none. */
  status: number
  detail: string
  errors: FieldFault[]
  /** How long the API asks us to wait, in milliseconds. */
  retryAfterMs: number
}

export type Answer<T> = { ok: true; value: T } | { ok: false; fault: ApiFault }

/** What is common to fetch's response and to the typed client's. */
interface ResponseLike {
  ok: boolean
  status: number
  headers: Headers
  json(): Promise<unknown>
}

/** The body of those of a route's typed responses that can be good news. */
type ValueOf<R> = R extends { ok: infer Ok; json(): Promise<infer T> } ? (true extends Ok ? T : never) : never

/** Never rejects. */
export async function answerOf<R extends ResponseLike>(request: Promise<R>): Promise<Answer<ValueOf<R>>> {
  try {
    const response = await request
    // The types come from the API's own routes; page and API are one version.
    if (response.ok) return { ok: true, value: (await response.json()) as ValueOf<R> }
    return { ok: false, fault: await faultOf(response) }
  } catch (error) {
    const isAborted = error instanceof DOMException && error.name === 'AbortError'
    return { ok: false, fault: isAborted ? ABORTED : UNREACHABLE }
  }
}

export const ABORTED: ApiFault = { kind: 'aborted', status: 0, detail: '', errors: [], retryAfterMs: 0 }

const UNREACHABLE: ApiFault = {
  kind: 'unreachable',
  status: 0,
  detail: 'The API cannot be reached.',
  errors: [],
  retryAfterMs: 0,
}

async function faultOf(response: ResponseLike): Promise<ApiFault> {
  const { status, headers } = response
  const body = await response.json().catch(() => null)
  // Every error of the API is JSON: a gateway error without it comes from a proxy that does not find the API.
  if (!isRecord(body)) return status >= 502 ? { ...UNREACHABLE, status } : refusal(status)
  return {
    kind: status >= 500 || status === 429 ? 'unavailable' : 'refused',
    status,
    detail: firstText(body.detail, body.reason, body.title) ?? `The API answered ${status}.`,
    errors: Array.isArray(body.errors) ? body.errors.filter(isFieldFault) : [],
    retryAfterMs: retryAfterMsOf(headers),
  }
}

function refusal(status: number): ApiFault {
  return {
    ...UNREACHABLE,
    kind: status >= 500 ? 'unavailable' : 'refused',
    status,
    detail: `The API answered ${status}.`,
  }
}

// Nobody watches a page for longer without wanting to see it try.
const MAX_RETRY_AFTER_MS = 30_000

function retryAfterMsOf(headers: Headers): number {
  const seconds = Number(headers.get('Retry-After') ?? 0)
  return Number.isFinite(seconds) ? Math.min(seconds * 1_000, MAX_RETRY_AFTER_MS) : 0
}

function firstText(...values: unknown[]): string | undefined {
  return values.find((value) => typeof value === 'string')
}

function isFieldFault(value: unknown): value is FieldFault {
  return isRecord(value) && typeof value.pointer === 'string' && typeof value.detail === 'string'
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
