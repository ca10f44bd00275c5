// The typed client of the API, for browsers and Node. It imports only types from the server, so a page that
// is built with it contains no server code.
import { hc, type InferRequestType, type InferResponseType } from 'hono/client'
import type { AppType } from '../api/app.ts'
import type { InputOf, Registry, ResultOf } from '../definitions/registry.ts'
import type { CoreDefinition } from '../tasks/core-definitions.ts'
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
/** Log lines of a task, and the position (`next_after`) at which the next request continues. */
export type TaskLogs = InferResponseType<Tasks[':id']['logs']['$get'], 200>
export type StatsQuery = InferRequestType<Api['v1']['stats']['$get']>['query']
/** A task in a compact list: it has excerpts instead of the whole input and result. */
export type CompactTask = PageOf<'input_excerpt'>['data'][number]
export type TaskFilter = Omit<ListQuery, 'compact'>
/** One action on many tasks: the tasks with these ids, or all tasks that match a filter. */
export type BulkAction = InferRequestType<Tasks['bulk']['$post']>['json']
/** An accepted task. Its type carries the name, from which `waitFor` derives the type of the result. */
export type SubmittedTask<Name extends string = string> = Accepted & { name: Name }
export type EndedTask<Result = unknown> = Omit<Task, 'status' | 'result'> &
  ({ status: 'SUCCESS'; result: Result } | { status: 'FAILURE' | 'CANCELLED'; result: null })
type AnyDefinition = Registry['all'][number]
/** Type of the configuration of any project. */
export interface AnyProject {
  tasks: readonly AnyDefinition[]
}
/** The definitions of a project and those of Waggle itself. */
type DefinitionsOf<Project extends AnyProject> = Project['tasks'][number] | CoreDefinition

export interface ClientOptions {
  /** URL of the API, e.g. `https://tasks.example.com`. In a browser it may be relative to the page. */
  baseUrl: string
  /** An API key, or a function that returns the current one and is called for every request. */
  apiKey?: string | (() => string | undefined)
  fetch?: typeof globalThis.fetch
  /** How long a call is repeated while the API is unreachable or busy. 0: not at all. Default: 30 seconds. */
  retryForMs?: number
}

export interface CallOptions {
  signal?: AbortSignal
}

export interface SubmitOptions extends CallOptions {
  /** Options of the task, e.g. queue and delay, with the names and units of the API. */
  options?: InferRequestType<Tasks[':name']['$post']>['json']['options']
  /** Submissions with the same key create one task. Default: a new key for every call. */
  idempotencyKey?: string
}

export interface LogsOptions extends CallOptions {
  /** The `next_after` of the previous response: only later lines are returned. */
  after?: number
  /** Maximum number of lines, at most 1000. */
  limit?: number
  pollToken?: string
}

export interface ReadOptions extends CallOptions {
  /** How many seconds the API waits for the end of the task before it responds: 0 (default) to 50. */
  waitSeconds?: number
  /** The `poll_token` from the response to the submission. It allows reading the task without an API key. */
  pollToken?: string
  /** Returns sensitive values instead of their mask. Needs an API key with the scope `reveal`. */
  reveal?: boolean
}

// How many seconds the API waits for the end of the task in one request of `waitFor`: the maximum that the
// API allows.
const MAX_WAIT_SECONDS = 50
// Default and maximum of `timeoutMs`: 24 days, the maximum delay of a timer in JavaScript.
const MAX_TIMER_MS = 2 ** 31 - 1

/**
 * Creates a client with the types of the task definitions. Its calls reject with ApiError only. It repeats
 * requests while the API is unreachable or busy, except retries of tasks: a repeated request could start a
 * task that has failed again meanwhile.
 * @typeParam Project type of the configuration of the API's project: `typeof config`, if `config` is the default
 * export of its `waggle.config.ts`. Without it, the client accepts every name and every input
 */
export function createClient<Project extends AnyProject = AnyProject>(options: ClientOptions) {
  type Known = DefinitionsOf<Project>
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
      // The cast is safe: the `name` in the response is the submitted one, but its type in the API is string.
      return task as Accepted & { name: Name }
    },

    task,

    /**
     * Reads a part of a task's log, oldest line first. Pass `next_after` as `after` to read further lines.
     */
    logs: (id: string, { after, limit, pollToken, ...call }: LogsOptions = {}) => {
      const query = {
        ...(after !== undefined && { after: String(after) }),
        ...(limit !== undefined && { limit: String(limit) }),
        ...(pollToken !== undefined && { poll_token: pollToken }),
      }
      return persistently((settings) => v1.tasks[':id'].logs.$get({ ...idPath(id), query }, settings), call)
    },

    /**
     * Applies an action to the tasks with the given ids, or to a limited number of tasks that match a filter.
     * To continue with the next ones, pass the `next_cursor` of the response as `cursor`.
     */
    bulk(
      action: BulkAction,
      { idempotencyKey, ...call }: Pick<SubmitOptions, 'idempotencyKey' | 'signal'> = {},
    ) {
      const headers = keyHeader(idempotencyKey)
      const send = (settings: CallSettings) => v1.tasks.bulk.$post({ json: action }, { ...settings, headers })
      // A bulk retry is sent only once: a repeated one could retry tasks that have failed again meanwhile.
      return action.action === 'retry' ? request(send, call) : persistently(send, call)
    },

    cancel: (id: string, call?: CallOptions) =>
      persistently((settings) => v1.tasks[':id'].cancel.$post(idPath(id), settings), call),

    retry: (id: string, call?: CallOptions) =>
      // A retry is sent only once. If its response is lost and the task fails again, a repeated request would
      // start one more retry.
      request((settings) => v1.tasks[':id'].retry.$post(idPath(id), settings), call),

    /**
     * Submits a copy of the task as a new task, with `input` instead of the original input if it is given.
     */
    replay(id: string, input?: unknown, { options, idempotencyKey, ...call }: SubmitOptions = {}) {
      const headers = keyHeader(idempotencyKey)
      const body = { ...idPath(id), json: { ...(input !== undefined && { input }), options } }
      return persistently((settings) => v1.tasks[':id'].replay.$post(body, { ...settings, headers }), call)
    },

    /**
     * Resolves with the task when it has ended. While the API is unreachable or busy it continues to wait.
     * @param handle the submitted task, or its id; with an id alone, the result has the type unknown
     * @throws ApiError `timed_out` after `timeoutMs`, whose default and maximum is 24 days
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
        // The cast is safe: `is_final` is true for SUCCESS, FAILURE and CANCELLED only, and the result of a
        // task has the output type of its definition.
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

  function readOnce(id: string, { waitSeconds = 0, pollToken, reveal, signal }: ReadOptions): Promise<Task> {
    const query = {
      ...(waitSeconds > 0 && { wait: String(waitSeconds) }),
      ...(pollToken !== undefined && { poll_token: pollToken }),
      ...(reveal && { reveal: 'true' as const }),
    }
    const send = (settings: CallSettings) => v1.tasks[':id'].$get({ ...idPath(id), query }, settings)
    return request(send, { signal, waitMs: waitSeconds * 1_000 })
  }

  function persistently<R extends JsonResponse>(send: Send<R>, call: CallOptions = {}): Promise<ValueOf<R>> {
    return retryWhileTransient(() => request(send, call), retryForMs, call.signal)
  }
}

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

/** Sends one request without repeating it, and returns the body of the response. @throws ApiError only */
async function request<R extends JsonResponse>(send: Send<R>, options?: RequestOptions): Promise<ValueOf<R>> {
  const outcome = await sendRequest(send, options)
  if ('value' in outcome) return outcome.value
  const { status, code, detail, ...more } = outcome.failure
  throw new ApiError(status, code, detail, more)
}

/** Returns the header Idempotency-Key, which makes it safe to repeat a request whose response was lost. */
function keyHeader(key = createIdempotencyKey()): { 'Idempotency-Key': string } {
  return { 'Idempotency-Key': key }
}

/**
 * Returns 128 random bits in hexadecimal. `crypto.randomUUID` is not used, because it does not exist in pages
 * that were loaded over plain HTTP.
 */
export function createIdempotencyKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
}
