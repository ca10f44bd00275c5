// The API in the page's words: typed by the API's own routes, relative to wherever the page came from.
import { hc, type InferResponseType } from 'hono/client'
import type { AppType } from '../../src/api/app.ts'
import { type Answer, type ApiFault, answerOf } from './api-answer.ts'
import type { ServerClock } from './server-clock.ts'

type Client = ReturnType<typeof hc<AppType>>
export type Task = InferResponseType<Client['v1']['tasks'][':id']['$get'], 200>
export type TaskStatus = Task['status']
export type Attempt = Task['attempts'][number]
export type Definition = InferResponseType<Client['v1']['definitions']['$get'], 200>['data'][number]

/** The value of a field, of an input or of a result. */
export type Json = Task['input']

export type ApiClient = ReturnType<typeof createApiClient>

// Beyond the time that the API was asked to wait.
const ANSWER_MS = 10_000

/** @param note is told of every answer's fault, and null for an answer without one */
export function createApiClient(clock: ServerClock, note: (fault: ApiFault | null) => void) {
  const client = hc<AppType>('.', {
    async fetch(target: RequestInfo | URL, init?: RequestInit) {
      const response = await fetch(target, init)
      clock.observe(response.headers.get('Date'))
      return response
    },
  })

  return {
    definitions: () => noted(answerOf(client.v1.definitions.$get({}, within(0)))),

    submit(name: string, input: Json) {
      return noted(answerOf(client.v1.tasks[':name'].$post({ param: { name }, json: { input } }, within(0))))
    },

    /** @param waitSeconds how long the API may wait for the task's end before it answers */
    task(id: string, waitSeconds: number, signal: AbortSignal): Promise<Answer<Task>> {
      const query = waitSeconds > 0 ? { wait: String(waitSeconds) } : {}
      const request = client.v1.tasks[':id'].$get(
        { param: { id }, query },
        within(waitSeconds * 1_000, signal),
      )
      return noted(answerOf(request))
    },

    cancel: (id: string) =>
      noted(answerOf(client.v1.tasks[':id'].cancel.$post({ param: { id } }, within(0)))),

    retry: (id: string) => noted(answerOf(client.v1.tasks[':id'].retry.$post({ param: { id } }, within(0)))),

    /** Why the API cannot be used now; null when it can. */
    async findFault(): Promise<ApiFault | null> {
      const answer = await answerOf(client.health.ready.$get({}, within(0)))
      // A refusal is an answer too: of an API that does not show this to everybody.
      return answer.ok || answer.fault.kind === 'refused' ? null : answer.fault
    },
  }

  async function noted<T>(asked: Promise<Answer<T>>): Promise<Answer<T>> {
    const answer = await asked
    note(answer.ok ? null : answer.fault)
    return answer
  }
}

/** An API that is there but silent counts as one that cannot be reached. */
function within(waitMs: number, signal?: AbortSignal): { init: RequestInit } {
  const timeout = AbortSignal.timeout(waitMs + ANSWER_MS)
  return { init: { signal: signal ? AbortSignal.any([signal, timeout]) : timeout } }
}
