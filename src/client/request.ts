// Sends one request of the client and reads its response.
import type { hc } from 'hono/client'
import type { AppType } from '../api/app.ts'
import { ApiError } from './api-error.ts'
import { type FieldFault, readProblem } from './problem.ts'

/** Type of Hono's RPC client for the routes of the API. */
export type Api = ReturnType<typeof hc<AppType>>

/** Options that this client passes to each call of Hono's client. */
export interface CallSettings {
  init: RequestInit
}

/** The members of a response that this client uses. `Response` and Hono's typed responses have them. */
export interface JsonResponse {
  ok: boolean
  status: number
  headers: Headers
  json(): Promise<unknown>
}

export type Send<R> = (settings: CallSettings) => Promise<R>

/** Type of the JSON body of a route's successful responses. */
export type ValueOf<R> = R extends { ok: infer Ok; json(): Promise<infer T> }
  ? true extends Ok
    ? T
    : never
  : never

export interface CallOptions {
  signal?: AbortSignal
}

interface RequestOptions extends CallOptions {
  /** How long the API waits for the end of a task before it responds, in milliseconds. Default: 0. */
  waitMs?: number
}

/** Sends a request and repeats it after transient errors. Resolves with the body of the response. */
export type SendCall = <R extends JsonResponse>(send: Send<R>, call?: CallOptions) => Promise<ValueOf<R>>

/** Why a request failed. `status` is 0 if there was no response. */
interface Failure {
  status: number
  code: string
  detail: string
  errors?: FieldFault[]
  retryAfterMs?: number
  cause?: unknown
}

// Time limit of a request without `waitMs`; `waitMs` is added to it. An API that accepts the connection but
// does not respond in this time counts as unreachable.
const RESPONSE_TIMEOUT_MS = 10_000

/** Sends one request without repeating it, and returns the body of the response. @throws ApiError only */
export async function sendOnce<R extends JsonResponse>(
  send: Send<R>,
  options?: RequestOptions,
): Promise<ValueOf<R>> {
  const outcome = await sendRequest(send, options)
  if ('value' in outcome) return outcome.value
  const { status, code, detail, ...more } = outcome.failure
  throw new ApiError(status, code, detail, more)
}

/** Sends one request and returns the body of the response, or the failure. Never rejects. */
async function sendRequest<R extends JsonResponse>(
  send: Send<R>,
  { signal, waitMs = 0 }: RequestOptions = {},
): Promise<{ value: ValueOf<R> } | { failure: Failure }> {
  const timeout = AbortSignal.timeout(waitMs + RESPONSE_TIMEOUT_MS)
  const init = { signal: signal ? AbortSignal.any([signal, timeout]) : timeout }
  let response: JsonResponse
  try {
    response = await send({ init })
    // The cast assumes that the API has the same version as this client, so that the type of the route
    // applies.
    if (response.ok) return { value: (await response.json()) as ValueOf<R> }
  } catch (cause) {
    const failure = signal?.aborted
      ? { code: 'aborted', detail: 'The request was aborted', cause: signal.reason }
      : { code: 'unreachable', detail: 'The API cannot be reached', cause }
    return { failure: { status: 0, ...failure } }
  }
  return { failure: { status: response.status, ...(await readProblem(response)) } }
}

/** Returns the arguments of Hono's client for a route with `:id` in its path. */
export function idPath(id: string) {
  return { param: { id: encodeURIComponent(id) } }
}
