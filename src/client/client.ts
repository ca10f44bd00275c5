// The typed client of the API, for browsers and Node. Names, inputs and results are those of the task definitions.
// Of the server it knows types only.
import { hc, type InferRequestType, type InferResponseType } from 'hono/client'
import type { AppType } from '../api/app.ts'
import type { InputOf, Registry, ResultOf } from '../definitions/registry.ts'
import type { ProjectDefinition } from '../tasks/task-definitions.ts'
import { pause, persist } from './patience.ts'
import { type FieldFault, readProblem } from './problem.ts'

type Tasks = ReturnType<typeof hc<AppType>>['v1']['tasks']
type Statistics = ReturnType<typeof hc<AppType>>['v1']['stats']
type Accepted = InferResponseType<Tasks[':name']['$post'], 202>

export type Task = InferResponseType<Tasks[':id']['$get'], 200>
/** A page of what a task logged. */
export type TaskLogs = InferResponseType<Tasks[':id']['logs']['$get'], 200>
export type StatsQuery = InferRequestType<Statistics['$get']>['query']
type Page = InferResponseType<Tasks['$get'], 200>
/** With whole tasks, or with what is short of each. */
type PageOf<Kind extends 'input' | 'input_excerpt'> = Page extends infer One
  ? One extends { data: (infer Item)[] }
    ? Kind extends keyof Item
      ? One
      : never
    : never
  : never
/** A task without what may be large, and the beginning of that. */
export type CompactTask = PageOf<'input_excerpt'>['data'][number]
export type TaskFilter = Omit<InferRequestType<Tasks['$get']>['query'], 'compact'>
/** One action on many tasks: those with these ids, or all that a filter names. */
export type BulkAction = InferRequestType<Tasks['bulk']['$post']>['json']
/** A task as it was accepted. Its name tells `waitFor` what will come of it. */
export type SubmittedTask<Name extends string = string> = Accepted & { name: Name }
export type EndedTask<Result = unknown> = Omit<Task, 'status' | 'result'> &
  ({ status: 'SUCCESS'; result: Result } | { status: 'FAILURE' | 'CANCELLED'; result: null })
/** What nothing is known of: `createClient<AnyDefinition>` takes every name and every input. */
export type AnyDefinition = Registry['all'][number]

export interface ClientOptions {
  /** Where the API is, e.g. `https://tasks.example.com`; a page may give a path. */
  baseUrl: string
  /** A function is asked anew for every request. */
  apiKey?: string | (() => string | undefined)
  fetch?: typeof globalThis.fetch
  /** For how long a call tries again while the API is away or busy; 0 asks once. Default: 30 seconds. */
  patienceMs?: number
}

export interface CallOptions {
  signal?: AbortSignal
}

export interface SubmitOptions extends CallOptions {
  /** When and how it is run: see the API. */
  options?: InferRequestType<Tasks[':name']['$post']>['json']['options']
  /** Submissions with the same key make one task. Default: a new key for every call. */
  idempotencyKey?: string
}

export interface LogsOptions extends CallOptions {
  /** The `next_after` of the answer before. */
  after?: number
  /** At most 1000. */
  limit?: number
  pollToken?: string
}

export interface ReadOptions extends CallOptions {
  /** How long the API waits for the task's end before it answers; at most 50. */
  waitSeconds?: number
  /** What came with the submission lets anybody read its task. */
  pollToken?: string
}

// The most that the API allows.
const LONGEST_WAIT_SECONDS = 50
// Answers that come at once, from whatever stands between, must not make a loop spin.
const SHORTEST_ROUND_MS = 500
// What a timer can hold: 24 days.
const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * Calls reject with ApiError only. What may be asked twice is asked again while the API is away or busy; `retry` may
 * not. @typeParam Known the definitions that the API has, where they are not the project's own
 */
export function createClient<Known extends AnyDefinition = ProjectDefinition>(options: ClientOptions) {
  const { baseUrl, apiKey, fetch, patienceMs = 30_000 } = options
  const { v1, health } = hc<AppType>(baseUrl, {
    ...(fetch && { fetch }),
    headers(): Record<string, string> {
      const key = typeof apiKey === 'function' ? apiKey() : apiKey
      return key === undefined ? {} : { Authorization: `Bearer ${key}` }
    },
  })

  return {
    /** Rejects while the API cannot be used. */
    ready: (call?: CallOptions) => patiently((one) => health.ready.$get({}, one), call),

    definitions: (call?: CallOptions) => patiently((one) => v1.definitions.$get({}, one), call),

    async submit<Name extends Known['name']>(
      name: Name,
      input: InputOf<Known, Name>,
      { options, idempotencyKey, ...call }: SubmitOptions = {},
    ): Promise<SubmittedTask<Name>> {
      const headers = idempotent(idempotencyKey)
      const request = { param: { name: encodeURIComponent(name) }, json: { input, options } }
      const task = await patiently((one) => v1.tasks[':name'].$post(request, { ...one, headers }), call)
      // The API answers with the name that it was asked for.
      return task as Accepted & { name: Name }
    },

    task,

    /** What the task logged, oldest first; ask on with `next_after`. */
    logs: (id: string, { after, limit, pollToken, ...call }: LogsOptions = {}) => {
      const query = {
        ...(after !== undefined && { after: String(after) }),
        ...(limit !== undefined && { limit: String(limit) }),
        ...(pollToken !== undefined && { poll_token: pollToken }),
      }
      return patiently((one) => v1.tasks[':id'].logs.$get({ ...at(id), query }, one), call)
    },

    list: (filter: TaskFilter = {}, call?: CallOptions) => page<'input'>(filter, call),

    /** The same without inputs and results, but with the beginning of each. */
    listCompact: (filter: TaskFilter = {}, call?: CallOptions) =>
      page<'input_excerpt'>({ ...filter, compact: 'true' }, call),

    /** How many match among the next ones; with the `next_cursor` of the answer as `cursor`, it goes on. */
    count: (filter: Omit<TaskFilter, 'limit'> = {}, call?: CallOptions) =>
      patiently((one) => v1.tasks.count.$get({ query: filter }, one), call),

    /** Does a part; with the `next_cursor` of the answer as `cursor`, it goes on. */
    bulk(
      action: BulkAction,
      { idempotencyKey, ...call }: Pick<SubmitOptions, 'idempotencyKey' | 'signal'> = {},
    ) {
      const headers = idempotent(idempotencyKey)
      const send = (one: OneRequest) => v1.tasks.bulk.$post({ json: action }, { ...one, headers })
      // Once, as a single one is.
      return action.action === 'retry' ? request(send, call) : patiently(send, call)
    },

    cancel: (id: string, call?: CallOptions) =>
      patiently((one) => v1.tasks[':id'].cancel.$post(at(id), one), call),

    retry: (id: string, call?: CallOptions) =>
      // Once: a second one could start the task anew after the first had ended.
      request((one) => v1.tasks[':id'].retry.$post(at(id), one), call),

    /** Submits the same task again, with another input where one is given. */
    replay(id: string, input?: unknown, { options, idempotencyKey, ...call }: SubmitOptions = {}) {
      const headers = idempotent(idempotencyKey)
      const replayed = { ...at(id), json: { ...(input !== undefined && { input }), options } }
      return patiently((one) => v1.tasks[':id'].replay.$post(replayed, { ...one, headers }), call)
    },

    /** How the system does: see the API. */
    stats: (query: StatsQuery = {}, call?: CallOptions) =>
      patiently((one) => v1.stats.$get({ query }, one), call),

    /** What the caller's key is good for. */
    access: (call?: CallOptions) => patiently((one) => v1.access.$get({}, one), call),

    queues: (call?: CallOptions) => patiently((one) => v1.queues.$get({}, one), call),

    workers: (call?: CallOptions) => patiently((one) => v1.workers.$get({}, one), call),

    pauseQueue: (name: string, call?: CallOptions) =>
      patiently(
        (one) => v1.queues[':name'].pause.$post({ param: { name: encodeURIComponent(name) } }, one),
        call,
      ),

    resumeQueue: (name: string, call?: CallOptions) =>
      patiently(
        (one) => v1.queues[':name'].resume.$post({ param: { name: encodeURIComponent(name) } }, one),
        call,
      ),

    /** It takes no more tasks, until `resumeWorker` or the end of its process; what runs goes on. */
    drainWorker: (id: string, call?: CallOptions) =>
      patiently((one) => v1.workers[':id'].drain.$post(at(id), one), call),

    resumeWorker: (id: string, call?: CallOptions) =>
      patiently((one) => v1.workers[':id'].resume.$post(at(id), one), call),

    /**
     * Resolves with the task when it has ended, however often the API is away meanwhile.
     * @param handle what `submit` gave; by an id alone nothing is known of the result
     * @param timeoutMs after this long it rejects with the code `timed_out`. Default: as long as the task takes.
     */
    async waitFor<Name extends string = never>(
      handle: string | { id: string; name: Name; poll_token?: string },
      { timeoutMs = LONGEST_TIMER_MS, signal }: CallOptions & { timeoutMs?: number } = {},
    ): Promise<EndedTask<ResultOf<Known, Name>>> {
      const { id, poll_token: pollToken } = typeof handle === 'string' ? { id: handle } : handle
      const timeout = AbortSignal.timeout(Math.min(timeoutMs, LONGEST_TIMER_MS))
      const ending = signal ? AbortSignal.any([signal, timeout]) : timeout
      const read = { waitSeconds: LONGEST_WAIT_SECONDS, pollToken, signal: ending }
      try {
        for (;;) {
          const pace = pause(SHORTEST_ROUND_MS, ending)
          const seen = await persist(() => readOnce(id, read), Number.POSITIVE_INFINITY, ending)
          // The definition vouches for its result; `is_final` for the status.
          if (seen.is_final) return seen as EndedTask<ResultOf<Known, Name>>
          await pace
        }
      } catch (error) {
        if (!timeout.aborted || signal?.aborted) throw error
        throw new ApiError(0, 'timed_out', `Task ${id} has not ended within ${timeoutMs} ms`)
      }
    },
  }

  function page<Kind extends 'input' | 'input_excerpt'>(
    query: InferRequestType<Tasks['$get']>['query'],
    call?: CallOptions,
  ): Promise<PageOf<Kind>> {
    // The API answers as it was asked, compact or not.
    return patiently((one) => v1.tasks.$get({ query }, one), call) as Promise<PageOf<Kind>>
  }

  function task(id: string, call: ReadOptions = {}): Promise<Task> {
    return persist(() => readOnce(id, call), patienceMs, call.signal)
  }

  function readOnce(id: string, { waitSeconds = 0, pollToken, signal }: ReadOptions): Promise<Task> {
    const query = {
      ...(waitSeconds > 0 && { wait: String(waitSeconds) }),
      ...(pollToken !== undefined && { poll_token: pollToken }),
    }
    const send = (one: OneRequest) => v1.tasks[':id'].$get({ ...at(id), query }, one)
    return request(send, { signal, waitMs: waitSeconds * 1_000 })
  }

  function patiently<R extends JsonResponse>(send: Send<R>, call: CallOptions = {}): Promise<ValueOf<R>> {
    return persist(() => request(send, call), patienceMs, call.signal)
  }
}

/** What the API answered instead of what it was asked for, or why it did not answer. */
export class ApiError extends Error {
  /** HTTP status; 0 without an answer. */
  readonly status: number
  /**
   * The last part of the problem's type, e.g. `invalid_input`. Of the client itself are `unreachable` (no answer, or
   * none of the API's), `aborted`, `timed_out`, and `unexpected` for an error that is no problem document.
   */
  readonly code: string
  /** For whoever caused it; the same as the message. */
  readonly detail: string
  readonly errors: FieldFault[]
  /** How long the API asks to wait; at most half a minute, 0 where it does not. */
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

  /** Whether the same request may have another answer in a moment. */
  get isPassing(): boolean {
    const isInFlight = this.code === 'idempotency_key_in_flight'
    return isInFlight || this.code === 'unreachable' || this.status === 429 || this.status === 503
  }
}

interface OneRequest {
  init: RequestInit
}

/** What is common to fetch's response and to those that are typed by the routes. */
interface JsonResponse {
  ok: boolean
  status: number
  headers: Headers
  json(): Promise<unknown>
}

type Send<R> = (one: OneRequest) => Promise<R>

/** The body of those of a route's typed responses that can be good news. */
type ValueOf<R> = R extends { ok: infer Ok; json(): Promise<infer T> } ? (true extends Ok ? T : never) : never

// Beyond the time that the API was asked to wait: one that is there but silent counts as one that is away.
const ANSWER_MS = 10_000

/** One request and its answer. @throws ApiError and nothing else */
async function request<R extends JsonResponse>(
  send: Send<R>,
  { signal, waitMs = 0 }: CallOptions & { waitMs?: number } = {},
): Promise<ValueOf<R>> {
  const timeout = AbortSignal.timeout(waitMs + ANSWER_MS)
  const init = { signal: signal ? AbortSignal.any([signal, timeout]) : timeout }
  let response: JsonResponse
  try {
    response = await send({ init })
    // The types are those of the API's own routes; both are one version.
    if (response.ok) return (await response.json()) as ValueOf<R>
  } catch (cause) {
    if (signal?.aborted)
      throw new ApiError(0, 'aborted', 'The request was given up', { cause: signal.reason })
    throw new ApiError(0, 'unreachable', 'The API cannot be reached', { cause })
  }
  const { code, detail, ...more } = await readProblem(response)
  throw new ApiError(response.status, code, detail, more)
}

function at(id: string) {
  return { param: { id: encodeURIComponent(id) } }
}

/** So that it can be sent again after it got no answer. */
function idempotent(key = createIdempotencyKey()): { 'Idempotency-Key': string } {
  return { 'Idempotency-Key': key }
}

/** 128 random bits. Pages that came over plain HTTP have no `crypto.randomUUID`. */
export function createIdempotencyKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
}
