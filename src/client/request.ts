// Sends one request of the client and reads its response.
import type { hc } from 'hono/client'
import type { AppType } from '../api/app.ts'
import { type FieldFault, readProblem } from './problem.ts'

/** Hono's client for the routes of the API. */
export type Api = ReturnType<typeof hc<AppType>>

/** The options of a Hono client call that the client sets for each request. */
export interface CallSettings {
  init: RequestInit
}

/** The members that `Response` and the typed responses of the routes have in common. */
export interface JsonResponse {
  ok: boolean
  status: number
  headers: Headers
  json(): Promise<unknown>
}

export type Send<R> = (settings: CallSettings) => Promise<R>

/** The type of the body of a route's successful responses. */
export type ValueOf<R> = R extends { ok: infer Ok; json(): Promise<infer T> }
  ? true extends Ok
    ? T
    : never
  : never

export interface RequestOptions {
  signal?: AbortSignal
  /** How long the API was asked to wait before it responds. */
  waitMs?: number
}

/** Sends a request, and repeats it after transient errors. */
export type SendCall = <R extends JsonResponse>(
  send: Send<R>,
  call?: Pick<RequestOptions, 'signal'>,
) => Promise<ValueOf<R>>

/** Why a request failed. `status` is 0 if there was no response. */
export interface Failure {
  status: number
  code: string
  detail: string
  errors?: FieldFault[]
  retryAfterMs?: number
  cause?: unknown
}

// Time limit in addition to `waitMs`. An API that connects but does not respond counts as unreachable.
const RESPONSE_TIMEOUT_MS = 10_000

/** Sends one request. Never rejects: a failure is returned. */
export async function sendRequest<R extends JsonResponse>(
  send: Send<R>,
  { signal, waitMs = 0 }: RequestOptions = {},
): Promise<{ value: ValueOf<R> } | { failure: Failure }> {
  const timeout = AbortSignal.timeout(waitMs + RESPONSE_TIMEOUT_MS)
  const init = { signal: signal ? AbortSignal.any([signal, timeout]) : timeout }
  let response: JsonResponse
  try {
    response = await send({ init })
    // The types are those of the API's routes: client and API have the same version.
    if (response.ok) return { value: (await response.json()) as ValueOf<R> }
  } catch (cause) {
    const failure = signal?.aborted
      ? { code: 'aborted', detail: 'The request was aborted', cause: signal.reason }
      : { code: 'unreachable', detail: 'The API cannot be reached', cause }
    return { failure: { status: 0, ...failure } }
  }
  return { failure: { status: response.status, ...(await readProblem(response)) } }
}

/** The path parameter of a route with `:id`. */
export function idPath(id: string) {
  return { param: { id: encodeURIComponent(id) } }
}
