// API client of the page. It sends each request once, to the server that delivered the page and with the API
// key of the tab, and reports the outcome to `Connection` and `Access`.
import { type BulkAction, createClient, type ListQuery, type TaskFilter } from '../../../src/client/client.ts'
import { parseJson } from '../parts/exact-json.ts'
import { onChange } from '../parts/on-change.ts'
import type { Access, Scope } from './access.ts'
import { type ApiFault, type ApiResponse, responseOf } from './api-response.ts'
import type { Reload } from './reload.ts'
import type { ServerClock } from './server-clock.ts'

type Client = ReturnType<typeof createClient>
export type Task = Awaited<ReturnType<Client['task']>>
export type TaskStatus = Task['status']
export const STATUSES = [
  'PENDING',
  'STARTED',
  'RETRY',
  'SUCCESS',
  'FAILURE',
  'CANCELLED',
] as const satisfies TaskStatus[]
export type CompactTask = Awaited<ReturnType<Client['listCompact']>>['data'][number]
export type { BulkAction, ListQuery, TaskFilter }
/** Options of a submission, e.g. queue and delay. */
export type RunOptions = NonNullable<NonNullable<Parameters<Client['submit']>[2]>['options']>
export type LogLine = Awaited<ReturnType<Client['logs']>>['data'][number]
export type Definition = Awaited<ReturnType<Client['definitions']>>['data'][number]
export type Stats = Awaited<ReturnType<Client['stats']>>
export type Queue = Awaited<ReturnType<Client['queues']>>['data'][number]
export type QueueLimits = NonNullable<Queue['limits']>
export type KeysQuery = NonNullable<Parameters<Client['keys']>[0]>
export type KeyCount = Awaited<ReturnType<Client['keys']>>['data'][number]
export type Schedule = Awaited<ReturnType<Client['schedules']['put']>>
export type ScheduleWithRuns = Awaited<ReturnType<Client['schedules']['get']>>
export type ScheduleRequest = Parameters<Client['schedules']['put']>[1]
export type Worker = Awaited<ReturnType<Client['workers']>>['data'][number]

/** Any JSON value: an input, a result, or a part of one. */
export type Json = Task['input']

/** A task to submit; `name` is the name of its definition. */
export interface Submission {
  name: string
  input: Json
  options?: RunOptions
}

// Log lines per request: the maximum that the API allows.
export const LOG_LINES = 1_000

export type ApiClient = ReturnType<typeof createApiClient>

interface Listeners {
  clock: ServerClock
  reload: Pick<Reload, 'observe'>
  /**
   * Called after a request: with its error, or with null if it succeeded. Not called if the API's own rate
   * limit refused the request (429).
   */
  report: (fault: ApiFault | null) => void
  access: Pick<Access, 'key' | 'report'>
}

export function createApiClient({ clock, reload, report, access }: Listeners) {
  const client = connect(currentKey)
  // Reads from the API also if the browser has a response with the same ETag. The ETag is the version of a
  // task, and what a held task waits for changes without a new version.
  const reloading = connect(currentKey, 'reload')
  // Poll tokens by task id, from the responses to submissions. With its poll token, a task can be read by the
  // key that submitted it, even if the key lacks the scope "read".
  const pollTokens = new Map<string, string>()
  onChange(access.key, () => pollTokens.clear())

  return {
    definitions: () => send(null, () => client.definitions()),

    async submit({ name, input, options }: Submission, idempotencyKey: string) {
      return withTokenKept(
        await send('submit', () => client.submit(name, input, { options, idempotencyKey })),
      )
    },

    /** Submits a copy of task `id` as a new task, with this input if it is given. */
    async replay(id: string, { input, options }: Partial<Omit<Submission, 'name'>>, idempotencyKey: string) {
      return withTokenKept(await send('operate', () => client.replay(id, input, { options, idempotencyKey })))
    },

    /**
     * @param waitSeconds how long the API may wait for the end of the task before it responds
     * @param isReloaded whether to read also what has changed without a new version of the task: `waits_for`
     */
    task: (id: string, waitSeconds: number, signal: AbortSignal, isReloaded: boolean) =>
      send('read', () =>
        (isReloaded ? reloading : client).task(id, { waitSeconds, signal, pollToken: pollTokens.get(id) }),
      ),

    /** Reads a task with its sensitive values. */
    revealedTask: (id: string) => send('reveal', () => client.task(id, { reveal: true })),

    tasks: (query: ListQuery, signal: AbortSignal) =>
      send('read', () => client.listCompact(query, { signal })),

    countTasks: (filter: TaskFilter, signal: AbortSignal) =>
      send('read', () => client.count(filter, { signal })),

    bulk: (action: BulkAction, idempotencyKey: string) =>
      send('operate', () => client.bulk(action, { idempotencyKey })),

    /** @param after the id of the last log line that is already loaded; 0 if none is */
    logs: (id: string, after: number, signal: AbortSignal) =>
      send('read', () => client.logs(id, { after, limit: LOG_LINES, signal, pollToken: pollTokens.get(id) })),

    cancel: (id: string) => send('operate', () => client.cancel(id)),

    retry: (id: string) => send('operate', () => client.retry(id)),

    access: () => send(null, () => client.access()),

    stats: (windowSeconds: number, signal: AbortSignal) =>
      send('read', () => client.stats({ window: String(windowSeconds) }, { signal })),

    queues: (signal: AbortSignal) => send('read', () => client.queues({ signal })),

    workers: (signal: AbortSignal) => send('read', () => client.workers({ signal })),

    pauseQueue: (name: string) => send('operate', () => client.pauseQueue(name)),

    resumeQueue: (name: string) => send('operate', () => client.resumeQueue(name)),

    setQueueLimits: (name: string, limits: QueueLimits) =>
      send('operate', () => client.setQueueLimits(name, limits)),

    /** Lists the keys of limits with unfinished tasks. */
    keys: (query: KeysQuery, signal: AbortSignal) => send('read', () => client.keys(query, { signal })),

    /**
     * Lists schedules in the order of their names.
     * @param cursor `next_cursor` of the page before; '' for the first
     */
    schedules: (limit: number, cursor: string, signal: AbortSignal) =>
      send('read', () => client.schedules.list({ limit, ...(cursor && { cursor }) }, { signal })),

    schedule: (name: string, signal?: AbortSignal) =>
      send('read', () => client.schedules.get(name, { signal })),

    /** Returns the next ticks of a stored schedule, by its name, or of one that is not stored. */
    scheduleTicks: (schedule: string | ScheduleRequest, count: number, signal: AbortSignal) =>
      send('read', () => client.schedules.preview(schedule, { count, signal })),

    /** Creates a schedule, or replaces the one with this name. */
    putSchedule: (name: string, schedule: ScheduleRequest) =>
      send('operate', () => client.schedules.put(name, schedule)),

    deleteSchedule: (name: string) => send('operate', () => client.schedules.delete(name)),

    pauseSchedule: (name: string) => send('operate', () => client.schedules.pause(name)),

    resumeSchedule: (name: string) => send('operate', () => client.schedules.resume(name)),

    runSchedule: (name: string) => send('operate', () => client.schedules.run(name)),

    drainWorker: (id: string) => send('operate', () => client.drainWorker(id)),

    resumeWorker: (id: string) => send('operate', () => client.resumeWorker(id)),

    /** Sends a request with this key. Resolves with null if it succeeds, otherwise with the error. */
    async tryKey(key: string): Promise<ApiFault | null> {
      const response = await responseOf(connect(() => key).definitions())
      const fault = response.ok ? null : response.fault
      report(fault)
      return fault
    },

    /** Requests the readiness of the API. Resolves with null if it is ready, otherwise with the error. */
    async findFault(): Promise<ApiFault | null> {
      const response = await responseOf(client.ready())
      // A refusal (4xx) counts as ready: access to the readiness endpoint can be restricted, and the refusal
      // shows that the API runs.
      return response.ok || response.fault.kind === 'refused' ? null : response.fault
    },
  }

  /**
   * Creates an API client that never repeats a failed request. The page itself decides which requests to
   * repeat, and waits until `Connection` reports that the API is ready again.
   */
  function connect(apiKey: () => string | undefined, cache?: RequestCache): Client {
    return createClient({
      baseUrl: '.',
      apiKey,
      retryForMs: 0,
      async fetch(target: RequestInfo | URL, init?: RequestInit) {
        const response = await fetch(target, { ...init, cache })
        clock.observe(response.headers.get('Date'))
        reload.observe(response.headers.get('Waggle-Reload'))
        return withExactNumbers(response)
      },
    })
  }

  function currentKey() {
    return access.key.value ?? undefined
  }

  function withTokenKept<T extends { id: string; poll_token?: string }>(
    response: ApiResponse<T>,
  ): ApiResponse<T> {
    if (response.ok && response.value.poll_token) pollTokens.set(response.value.id, response.value.poll_token)
    return response
  }

  /**
   * Sends a request and reports its outcome to `Connection` and `Access`.
   * @param scope the scope that the request needs; null if every valid key suffices
   */
  async function send<T>(scope: Scope | null, call: () => Promise<T>): Promise<ApiResponse<T>> {
    const key = access.key.value
    const response = await responseOf(call())
    const fault = response.ok ? null : response.fault
    // A 429 for a change is not reported: it comes from the API's own rate limit, which applies to changes
    // only, so the API is not down. A 429 for a read comes from a proxy in front of the API and counts as an
    // outage.
    const isRateLimited = fault?.status === 429 && (scope === 'submit' || scope === 'operate')
    if (!isRateLimited) report(fault)
    access.report(fault, scope, key)
    return response
  }
}

/** Replaces `json()` of a response by a parser that keeps all digits of large numbers. */
function withExactNumbers(response: Response): Response {
  // Only user data, such as inputs and results, can contain numbers for which the parser returns
  // `ExactNumber`. The API's own numbers, e.g. counts, all fit into a double.
  const json = async () => parseJson(await response.text())
  return Object.defineProperty(response, 'json', { value: json })
}
