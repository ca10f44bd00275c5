// The typed client of the API, for browsers and Node. From the server it imports types only.
import { hc, type InferRequestType, type InferResponseType } from 'hono/client'
import type { AppType } from '../api/app.ts'
import type { InputOf, Registry, ResultOf } from '../definitions/registry.ts'
import type { ProjectDefinition } from '../tasks/task-definitions.ts'
import { createListCalls, type ListQuery, type PageOf } from './list-calls.ts'
import type { FieldFault } from './problem.ts'
import {
  type Api,
  type CallSettings,
  idPath,
  type JsonResponse,
  type RequestOptions,
  type Send,
  sendRequest,
  type ValueOf,
} from './request.ts'
import { readUntilFinal, retryWhileTransient } from './retry.ts'
import { createSystemCalls } from './system-calls.ts'

type Tasks = Api['v1']['tasks']
type Accepted = InferResponseType<Tasks[':name']['$post'], 202>

export type Task = InferResponseType<Tasks[':id']['$get'], 200>
/** A page of the log of a task. */
export type TaskLogs = InferResponseType<Tasks[':id']['logs']['$get'], 200>
export type StatsQuery = InferRequestType<Api['v1']['stats']['$get']>['query']
/** A task with excerpts instead of the whole input and result. */
export type CompactTask = PageOf<'input_excerpt'>['data'][number]
export type TaskFilter = Omit<ListQuery, 'compact'>
/** One action on many tasks: the tasks with these ids, or all tasks that match a filter. */
export type BulkAction = InferRequestType<Tasks['bulk']['$post']>['json']
/** An accepted task. `waitFor` derives the type of the result from its name. */
export type SubmittedTask<Name extends string = string> = Accepted & { name: Name }
export type EndedTask<Result = unknown> = Omit<Task, 'status' | 'result'> &
  ({ status: 'SUCCESS'; result: Result } | { status: 'FAILURE' | 'CANCELLED'; result: null })
/** Any task definition. `createClient<AnyDefinition>` accepts every name and every input. */
export type AnyDefinition = Registry['all'][number]

export interface ClientOptions {
  /** URL of the API, e.g. `https://tasks.example.com`. In a browser it may be relative to the page. */
  baseUrl: string
  /** An API key, or a function that is called for every request. */
  apiKey?: string | (() => string | undefined)
  fetch?: typeof globalThis.fetch
  /** How long a call is repeated while the API is unreachable or busy. Default: 30 seconds; 0: no repeats. */
  retryForMs?: number
}

export interface CallOptions {
  signal?: AbortSignal
}

export interface SubmitOptions extends CallOptions {
  /** Options of the task, as in the API. */
  options?: InferRequestType<Tasks[':name']['$post']>['json']['options']
  /** Submissions with the same key create one task. Default: a new key for every call. */
  idempotencyKey?: string
}

export interface LogsOptions extends CallOptions {
  /** The `next_after` of the previous page. */
  after?: number
  /** At most 1000. */
  limit?: number
  pollToken?: string
}

export interface ReadOptions extends CallOptions {
  /** How long the API waits for the end of the task before it responds; at most 50. */
  waitSeconds?: number
  /** The `poll_token` of the submission. It allows reading the task without an API key. */
  pollToken?: string
}

// The longest wait that the API allows.
const MAX_WAIT_SECONDS = 50
// The maximum delay of a timer: 24 days.
const MAX_TIMER_MS = 2 ** 31 - 1

/**
 * Creates a client with the types of the task definitions. Calls reject with ApiError only. While the API is
 * unreachable or busy, calls are repeated, except a retry, which must not be sent twice.
 * @typeParam Known the definitions of the API, if they are not those of this project
 */
export function createClient<Known extends AnyDefinition = ProjectDefinition>(options: ClientOptions) {
  const { baseUrl, apiKey, fetch, retryForMs = 30_000 } = options
  const api = hc<AppType>(baseUrl, {
    ...(fetch && { fetch }),
    headers(): Record<string, string> {
      const key = typeof apiKey === 'function' ? apiKey() : apiKey
      return key === undefined ? {} : { Authorization: `Bearer ${key}` }
    },
  })
  const { v1 } = api

  return {
    ...createSystemCalls(api, persistently),
    ...createListCalls(api, persistently),

    definitions: (call?: CallOptions) => persistently((settings) => v1.definitions.$get({}, settings), call),

    async submit<Name extends Known['name']>(
      name: Name,
      input: InputOf<Known, Name>,
      { options, idempotencyKey, ...call }: SubmitOptions = {},
    ): Promise<SubmittedTask<Name>> {
      const headers = keyHeader(idempotencyKey)
      const body = { param: { name: encodeURIComponent(name) }, json: { input, options } }
      const send = (settings: CallSettings) => v1.tasks[':name'].$post(body, { ...settings, headers })
      const task = await persistently(send, call)
      // The response contains the name that was submitted.
      return task as Accepted & { name: Name }
    },

    task,

    /** Reads the log of a task, oldest line first. Continue with `next_after`. */
    logs: (id: string, { after, limit, pollToken, ...call }: LogsOptions = {}) => {
      const query = {
        ...(after !== undefined && { after: String(after) }),
        ...(limit !== undefined && { limit: String(limit) }),
        ...(pollToken !== undefined && { poll_token: pollToken }),
      }
      return persistently((settings) => v1.tasks[':id'].logs.$get({ ...idPath(id), query }, settings), call)
    },

    /** Handles a part of the selected tasks. Continue with `next_cursor` as `cursor`. */
    bulk(
      action: BulkAction,
      { idempotencyKey, ...call }: Pick<SubmitOptions, 'idempotencyKey' | 'signal'> = {},
    ) {
      const headers = keyHeader(idempotencyKey)
      const send = (settings: CallSettings) => v1.tasks.bulk.$post({ json: action }, { ...settings, headers })
      // Not repeated, for the same reason as `retry`.
      return action.action === 'retry' ? request(send, call) : persistently(send, call)
    },

    cancel: (id: string, call?: CallOptions) =>
      persistently((settings) => v1.tasks[':id'].cancel.$post(idPath(id), settings), call),

    retry: (id: string, call?: CallOptions) =>
      // Not repeated: a second request could retry the task again after the first retry has ended.
      request((settings) => v1.tasks[':id'].retry.$post(idPath(id), settings), call),

    /** Submits the task again as a new task, with another input if one is given. */
    replay(id: string, input?: unknown, { options, idempotencyKey, ...call }: SubmitOptions = {}) {
      const headers = keyHeader(idempotencyKey)
      const body = { ...idPath(id), json: { ...(input !== undefined && { input }), options } }
      return persistently((settings) => v1.tasks[':id'].replay.$post(body, { ...settings, headers }), call)
    },

    /**
     * Resolves with the task when it has ended. While the API is unreachable or busy it continues to wait.
     * @param handle the submitted task, or its id; with an id alone, the result has the type unknown
     * @param timeoutMs time after which it rejects with the code `timed_out`. Default and maximum: 24 days.
     */
    async waitFor<Name extends string = never>(
      handle: string | { id: string; name: Name; poll_token?: string },
      { timeoutMs = MAX_TIMER_MS, signal }: CallOptions & { timeoutMs?: number } = {},
    ): Promise<EndedTask<ResultOf<Known, Name>>> {
      const { id, poll_token: pollToken } = typeof handle === 'string' ? { id: handle } : handle
      const timeout = AbortSignal.timeout(Math.min(timeoutMs, MAX_TIMER_MS))
      const stopped = signal ? AbortSignal.any([signal, timeout]) : timeout
      const read = { waitSeconds: MAX_WAIT_SECONDS, pollToken, signal: stopped }
      try {
        const ended = await readUntilFinal(() => readOnce(id, read), stopped)
        // `is_final` guarantees the status, and the output schema of the definition the type of the result.
        return ended as EndedTask<ResultOf<Known, Name>>
      } catch (error) {
        if (!timeout.aborted || signal?.aborted) throw error
        throw new ApiError(0, 'timed_out', `Task ${id} has not ended within ${timeoutMs} ms`)
      }
    },
  }

  function task(id: string, call: ReadOptions = {}): Promise<Task> {
    return retryWhileTransient(() => readOnce(id, call), retryForMs, call.signal)
  }

  function readOnce(id: string, { waitSeconds = 0, pollToken, signal }: ReadOptions): Promise<Task> {
    const query = {
      ...(waitSeconds > 0 && { wait: String(waitSeconds) }),
      ...(pollToken !== undefined && { poll_token: pollToken }),
    }
    const send = (settings: CallSettings) => v1.tasks[':id'].$get({ ...idPath(id), query }, settings)
    return request(send, { signal, waitMs: waitSeconds * 1_000 })
  }

  function persistently<R extends JsonResponse>(send: Send<R>, call: CallOptions = {}): Promise<ValueOf<R>> {
    return retryWhileTransient(() => request(send, call), retryForMs, call.signal)
  }
}

/** An error response of the API, or the reason why there was no response. */
export class ApiError extends Error {
  /** HTTP status; 0 without a response. */
  readonly status: number
  /**
   * The last part of the problem's type, e.g. `invalid_input`. The client adds `unreachable` (no response
   * from the API), `aborted`, `timed_out`, and `unexpected` for an error response without a problem document.
   */
  readonly code: string
  /** Explanation for the user; equals `message`. */
  readonly detail: string
  readonly errors: FieldFault[]
  /** Delay that the API requests before the next attempt; at most 30 seconds, 0 if it requests none. */
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

  /** Whether the error is transient: the same request may succeed a little later. */
  get isTransient(): boolean {
    const isInFlight = this.code === 'idempotency_key_in_flight'
    return isInFlight || this.code === 'unreachable' || this.status === 429 || this.status === 503
  }
}

/** Sends one request. @throws ApiError and nothing else */
async function request<R extends JsonResponse>(send: Send<R>, options?: RequestOptions): Promise<ValueOf<R>> {
  const outcome = await sendRequest(send, options)
  if ('value' in outcome) return outcome.value
  const { status, code, detail, ...more } = outcome.failure
  throw new ApiError(status, code, detail, more)
}

/** Header with an Idempotency-Key, which makes it safe to repeat a request after a lost response. */
function keyHeader(key = createIdempotencyKey()): { 'Idempotency-Key': string } {
  return { 'Idempotency-Key': key }
}

/** 128 random bits. Not `crypto.randomUUID`, which does not exist in pages loaded over plain HTTP. */
export function createIdempotencyKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
}
