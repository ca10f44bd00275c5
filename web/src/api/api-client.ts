// API client of the page. It sends each request once, to the origin of the page, with the tab's key, and
// reports the outcome to `Connection` and `Access`.
import {
  type AnyDefinition,
  type BulkAction,
  createClient,
  type TaskFilter,
} from '../../../src/client/client.ts'
import { parseJson } from '../parts/exact-json.ts'
import type { Access, Scope } from './access.ts'
import { type ApiFault, type ApiResponse, responseOf } from './api-response.ts'
import type { ServerClock } from './server-clock.ts'

type Client = ReturnType<typeof createClient<AnyDefinition>>
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
export type { BulkAction, TaskFilter }
/** Options of a submission, e.g. queue and delay. */
export type RunOptions = NonNullable<NonNullable<Parameters<Client['submit']>[2]>['options']>
export type LogLine = Awaited<ReturnType<Client['logs']>>['data'][number]
export type Definition = Awaited<ReturnType<Client['definitions']>>['data'][number]
export type Stats = Awaited<ReturnType<Client['stats']>>
export type Queue = Awaited<ReturnType<Client['queues']>>['data'][number]
export type Worker = Awaited<ReturnType<Client['workers']>>['data'][number]

/** Any JSON value: an input, a result, or a part of one. */
export type Json = Task['input']

/** A task to submit. */
export interface Submission {
  name: string
  input: Json
  options?: RunOptions
}

// The API's maximum for one request.
export const LOG_LINES = 1_000

export type ApiClient = ReturnType<typeof createApiClient>

interface Listeners {
  clock: ServerClock
  /** Receives the fault of every response, and null for a response without one. */
  report: (fault: ApiFault | null) => void
  access: Pick<Access, 'key' | 'report'>
}

export function createApiClient({ clock, report, access }: Listeners) {
  const client = connect(() => access.key.get() ?? undefined)
  // A poll token permits reading a task that was submitted with this key, without the scope "read".
  const pollTokens = new Map<string, string>()
  access.key.subscribe(() => pollTokens.clear())

  return {
    definitions: () => send(null, () => client.definitions()),

    async submit({ name, input, options }: Submission, idempotencyKey: string) {
      return withTokenKept(
        await send('submit', () => client.submit(name, input, { options, idempotencyKey })),
      )
    },

    /** Submits a copy of a task with another input. */
    async replay(id: string, { input, options }: Omit<Submission, 'name'>, idempotencyKey: string) {
      return withTokenKept(await send('operate', () => client.replay(id, input, { options, idempotencyKey })))
    },

    /** @param waitSeconds how long the API may wait until the task has finished before it responds */
    task: (id: string, waitSeconds: number, signal: AbortSignal) =>
      send('read', () => client.task(id, { waitSeconds, signal, pollToken: pollTokens.get(id) })),

    tasks: (filter: TaskFilter, signal: AbortSignal) =>
      send('read', () => client.listCompact(filter, { signal })),

    countTasks: (filter: TaskFilter, signal: AbortSignal) =>
      send('read', () => client.count(filter, { signal })),

    bulk: (action: BulkAction, idempotencyKey: string) =>
      send('operate', () => client.bulk(action, { idempotencyKey })),

    /** @param after the id of the last line that was read; 0 for none */
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

    drainWorker: (id: string) => send('operate', () => client.drainWorker(id)),

    resumeWorker: (id: string) => send('operate', () => client.resumeWorker(id)),

    /** Sends a request with this key. Resolves with its fault, or null if the API accepts the key. */
    async tryKey(key: string): Promise<ApiFault | null> {
      const response = await responseOf(connect(() => key).definitions())
      const fault = response.ok ? null : response.fault
      report(fault)
      return fault
    },

    /** Why the API cannot be used now; null if it is ready. */
    async findFault(): Promise<ApiFault | null> {
      const response = await responseOf(client.ready())
      // Access to the readiness endpoint may be restricted. A refusal (4xx) also shows that the API runs.
      return response.ok || response.fault.kind === 'refused' ? null : response.fault
    },
  }

  /** Creates a client without retries, because `Connection` retries and shows when. */
  function connect(apiKey: () => string | undefined): Client {
    return createClient<AnyDefinition>({
      baseUrl: '.',
      apiKey,
      retryForMs: 0,
      async fetch(target: RequestInfo | URL, init?: RequestInit) {
        const response = await fetch(target, init)
        clock.observe(response.headers.get('Date'))
        return withExactNumbers(response)
      },
    })
  }

  function withTokenKept<T extends { id: string; poll_token?: string }>(
    response: ApiResponse<T>,
  ): ApiResponse<T> {
    if (response.ok && response.value.poll_token) pollTokens.set(response.value.id, response.value.poll_token)
    return response
  }

  /**
   * Sends a request and reports its outcome.
   * @param scope the scope that the request needs; null if every valid key suffices
   */
  async function send<T>(scope: Scope | null, call: () => Promise<T>): Promise<ApiResponse<T>> {
    const key = access.key.get()
    const response = await responseOf(call())
    const fault = response.ok ? null : response.fault
    // The API's own rate limit applies only to changes, and a limited change does not mean that the API is
    // down. A 429 for a read comes from a proxy in front of the API and counts as an outage.
    const isRateLimited = fault?.status === 429 && (scope === 'submit' || scope === 'operate')
    if (!isRateLimited) report(fault)
    access.report(fault, scope, key)
    return response
  }
}

/** Parses the body so that large numbers in inputs and results keep all digits. */
function withExactNumbers(response: Response): Response {
  // The API's own numbers all fit into a double, so `ExactNumber` occurs only in inputs and results.
  const json = async () => parseJson(await response.text())
  return Object.defineProperty(response, 'json', { value: json })
}
