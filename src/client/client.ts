// The typed client of the API, for browsers and Node: the entry point `waggle-tasks/client`. It imports only types
// from the server, so a page that is built with it contains no server code. The types that it exports do not
// depend on the types of the server; tests compare them.
import { hc } from 'hono/client'
import type { AppType } from '../api/app.ts'
import { createListCalls, type ListCalls } from './list-calls.ts'
import type { AnyProject } from './project.ts'
import { type CallOptions, type JsonResponse, type Send, sendOnce, type ValueOf } from './request.ts'
import { retryWhileTransient } from './retry.ts'
import { createScheduleCalls, type ScheduleCalls } from './schedule-calls.ts'
import { createSystemCalls, type SystemCalls } from './system-calls.ts'
import { createTaskCalls, type TaskCalls } from './task-calls.ts'

export { ApiError } from './api-error.ts'
export type { FieldFault } from './problem.ts'
export type * from './project.ts'
export type { CallOptions } from './request.ts'
export type * from './schedule.ts'
export type { PreviewOptions, ScheduleCalls } from './schedule-calls.ts'
export type * from './system.ts'
export type * from './task.ts'
export {
  createIdempotencyKey,
  type LogsOptions,
  type ReadOptions,
  type SubmitOptions,
  type SubmittedTask,
  type TaskHandle,
  type WaitOptions,
} from './task-calls.ts'
export type * from './task-list.ts'

export interface ClientOptions {
  /** URL of the API, e.g. `https://tasks.example.com`. In a browser it may be relative to the page. */
  baseUrl: string
  /** An API key, or a function that returns the current one and is called for every request. */
  apiKey?: string | (() => string | undefined)
  fetch?: typeof globalThis.fetch
  /** How long a call is repeated while the API is unreachable or busy. 0: not at all. Default: 30 seconds. */
  retryForMs?: number
}

/**
 * A client of the API. Its calls reject with ApiError only. It repeats requests while the API is unreachable
 * or busy, except retries of tasks and runs of schedules: a repeated request could start a task that has
 * failed again meanwhile, or make a second task.
 */
export interface Client<Project extends AnyProject = AnyProject>
  extends TaskCalls<Project>,
    ListCalls<Project>,
    SystemCalls {
  schedules: ScheduleCalls<Project>
}

/**
 * Creates a client with the types of the task definitions.
 * @typeParam Project type of the configuration of the API's project: `typeof config`, if `config` is the default
 * export of its `waggle.config.ts`. Without it, the client accepts every name and every input
 */
export function createClient<Project extends AnyProject = AnyProject>(
  options: ClientOptions,
): Client<Project> {
  const { baseUrl, apiKey, fetch, retryForMs = 30_000 } = options
  const api = hc<AppType>(baseUrl, {
    ...(fetch && { fetch }),
    headers(): Record<string, string> {
      const key = typeof apiKey === 'function' ? apiKey() : apiKey
      return key === undefined ? {} : { Authorization: `Bearer ${key}` }
    },
  })
  return {
    ...createTaskCalls<Project>(api, persistently, retryForMs),
    ...createListCalls<Project>(api, persistently),
    ...createSystemCalls(api, persistently),
    schedules: createScheduleCalls<Project>(api, persistently),
  }

  function persistently<R extends JsonResponse>(send: Send<R>, call: CallOptions = {}): Promise<ValueOf<R>> {
    return retryWhileTransient(() => sendOnce(send, call), retryForMs, call.signal)
  }
}
