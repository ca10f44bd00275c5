// The API in the page's words: asked once, relative to wherever the page came from, with the key that it was given.
import {
  type AnyDefinition,
  type BulkAction,
  createClient,
  type TaskFilter,
} from '../../../src/client/client.ts'
import { parseJson } from '../parts/exact-json.ts'
import type { Access, Scope } from './access.ts'
import { type Answer, type ApiFault, answerOf } from './api-answer.ts'
import type { ServerClock } from './server-clock.ts'

type Client = ReturnType<typeof createClient<AnyDefinition>>
export type Task = Awaited<ReturnType<Client['task']>>
export type TaskStatus = Task['status']
export type CompactTask = Awaited<ReturnType<Client['listCompact']>>['data'][number]
export type { BulkAction, TaskFilter }
/** When and how a task is run. */
export type RunOptions = NonNullable<NonNullable<Parameters<Client['submit']>[2]>['options']>
export type LogLine = Awaited<ReturnType<Client['logs']>>['data'][number]
export type Definition = Awaited<ReturnType<Client['definitions']>>['data'][number]
export type Stats = Awaited<ReturnType<Client['stats']>>
export type Queue = Awaited<ReturnType<Client['queues']>>['data'][number]
export type Worker = Awaited<ReturnType<Client['workers']>>['data'][number]

/** The value of a field, of an input or of a result. */
export type Json = Task['input']

/** A task as somebody wants it to be run. */
export interface Submission {
  name: string
  input: Json
  options?: RunOptions
}

// As many as the API gives at once.
export const LOG_LINES = 1_000

export type ApiClient = ReturnType<typeof createApiClient>

interface Listeners {
  clock: ServerClock
  /** Is told of every answer's fault, and null for an answer without one. */
  note: (fault: ApiFault | null) => void
  access: Pick<Access, 'key' | 'note'>
}

export function createApiClient({ clock, note, access }: Listeners) {
  const client = connect(() => access.key.get() ?? undefined)
  // What was submitted with this key may be followed, whatever else the key is good for.
  const pollTokens = new Map<string, string>()
  access.key.subscribe(() => pollTokens.clear())

  return {
    definitions: () => noted(null, () => client.definitions()),

    async submit({ name, input, options }: Submission, idempotencyKey: string) {
      return kept(await noted('submit', () => client.submit(name, input, { options, idempotencyKey })))
    },

    /** Submits a task once more, with this input. */
    async replay(id: string, { input, options }: Omit<Submission, 'name'>, idempotencyKey: string) {
      return kept(await noted('operate', () => client.replay(id, input, { options, idempotencyKey })))
    },

    /** @param waitSeconds how long the API may wait for the task's end before it answers */
    task: (id: string, waitSeconds: number, signal: AbortSignal) =>
      noted('read', () => client.task(id, { waitSeconds, signal, pollToken: pollTokens.get(id) })),

    tasks: (filter: TaskFilter, signal: AbortSignal) =>
      noted('read', () => client.listCompact(filter, { signal })),

    countTasks: (filter: TaskFilter, signal: AbortSignal) =>
      noted('read', () => client.count(filter, { signal })),

    bulk: (action: BulkAction, idempotencyKey: string) =>
      noted('operate', () => client.bulk(action, { idempotencyKey })),

    /** @param after the line after which to begin */
    logs: (id: string, after: number, signal: AbortSignal) =>
      noted('read', () =>
        client.logs(id, { after, limit: LOG_LINES, signal, pollToken: pollTokens.get(id) }),
      ),

    cancel: (id: string) => noted('operate', () => client.cancel(id)),

    retry: (id: string) => noted('operate', () => client.retry(id)),

    access: () => noted(null, () => client.access()),

    stats: (windowSeconds: number, signal: AbortSignal) =>
      noted('read', () => client.stats({ window: String(windowSeconds) }, { signal })),

    queues: (signal: AbortSignal) => noted('read', () => client.queues({ signal })),

    workers: (signal: AbortSignal) => noted('read', () => client.workers({ signal })),

    pauseQueue: (name: string) => noted('operate', () => client.pauseQueue(name)),

    resumeQueue: (name: string) => noted('operate', () => client.resumeQueue(name)),

    drainWorker: (id: string) => noted('operate', () => client.drainWorker(id)),

    resumeWorker: (id: string) => noted('operate', () => client.resumeWorker(id)),

    /** What the API has against this key; null when it knows it. */
    async tryKey(key: string): Promise<ApiFault | null> {
      const answer = await answerOf(connect(() => key).definitions())
      const fault = answer.ok ? null : answer.fault
      note(fault)
      return fault
    },

    /** Why the API cannot be used now; null when it can. */
    async findFault(): Promise<ApiFault | null> {
      const answer = await answerOf(client.ready())
      // A refusal is an answer too: of an API that does not show this to everybody.
      return answer.ok || answer.fault.kind === 'refused' ? null : answer.fault
    },
  }

  /** The page has pauses of its own, which it shows, so the client has no patience here. */
  function connect(apiKey: () => string | undefined): Client {
    return createClient<AnyDefinition>({
      baseUrl: '.',
      apiKey,
      patienceMs: 0,
      async fetch(target: RequestInfo | URL, init?: RequestInit) {
        const response = await fetch(target, init)
        clock.observe(response.headers.get('Date'))
        return withExactNumbers(response)
      },
    })
  }

  function kept<T extends { id: string; poll_token?: string }>(answer: Answer<T>): Answer<T> {
    if (answer.ok && answer.value.poll_token) pollTokens.set(answer.value.id, answer.value.poll_token)
    return answer
  }

  /** @param scope what the key has to be good for; null where any will do */
  async function noted<T>(scope: Scope | null, ask: () => Promise<T>): Promise<Answer<T>> {
    const key = access.key.get()
    const answer = await answerOf(ask())
    const fault = answer.ok ? null : answer.fault
    // The API limits only what changes something, and only that has to wait; reads are limited by what stands before
    // it, and then it is as good as away.
    const isOneTooMany = fault?.status === 429 && (scope === 'submit' || scope === 'operate')
    if (!isOneTooMany) note(fault)
    access.note(fault, scope, key)
    return answer
  }
}

/** Inputs and results are shown as they were written. */
function withExactNumbers(response: Response): Response {
  // Every number that the API itself writes is a double.
  const json = async () => parseJson(await response.text())
  return Object.defineProperty(response, 'json', { value: json })
}
