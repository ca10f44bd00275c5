// State and actions that all views of the page share, and the loops that keep the state up to date.
import { type ReadonlySignal, signal } from '@preact/signals'
import { type Access, createAccess, withKey } from './api/access.ts'
import { type ApiClient, createApiClient, type Definition, type Submission } from './api/api-client.ts'
import type { ApiResponse } from './api/api-response.ts'
import { type Connection, createConnection } from './api/connection.ts'
import { createReload, type Reload } from './api/reload.ts'
import { createServerClock } from './api/server-clock.ts'
import { onChange } from './parts/on-change.ts'
import { createRoute, goTo, type Route, shownTaskOf } from './route.ts'
import { createRememberedTasks, type RememberedTasks } from './state/remembered-tasks.ts'
import { type SubmittedTask, sendTask, type WaitReason } from './state/submission.ts'
import { createTaskCache, type TaskCache } from './state/task-cache.ts'
import { startTaskPoller } from './state/task-poller.ts'

export interface Page {
  /** API client for requests whose results only one view needs. Other results are fields of `Page`. */
  api: ApiClient
  connection: Connection
  access: Access
  reload: Reload
  route: ReadonlySignal<Route>
  /** The task definitions that the API knows; null until they are loaded. */
  definitions: ReadonlySignal<Definition[] | null>
  remembered: RememberedTasks
  cache: TaskCache
  /** Returns the current time of the server's clock, in milliseconds since 1970. */
  nowMs: () => number
  /** Submits a task and shows it next to its form. The request is repeated while the API is unavailable. */
  submit(
    submission: Submission,
    onWait: (reason: WaitReason) => void,
    signal: AbortSignal,
  ): Promise<ApiResponse<unknown>>
  /**
   * Submits a copy of task `id` and shows the new task on its page. `edited` replaces its input and options;
   * the API copies what it omits.
   */
  replay(
    id: string,
    edited: Partial<Omit<Submission, 'name'>>,
    onWait: (reason: WaitReason) => void,
    signal: AbortSignal,
  ): Promise<ApiResponse<unknown>>
  cancel(id: string): Promise<ApiResponse<unknown>>
  retry(id: string): Promise<ApiResponse<unknown>>
}

export function startPage(): Page {
  const clock = createServerClock()
  const access = createAccess((key) => api.tryKey(key))
  const reload = createReload()
  const api = createApiClient({ clock, reload, report: (fault) => connection.report(fault), access })
  const connection = createConnection(api.findFault)
  const route = createRoute()
  const remembered = createRememberedTasks()
  const cache = createTaskCache(remembered, clock.nowMs)
  const shownId = () => shownTaskOf(route.value)
  const poller = startTaskPoller({ api, connection, access, remembered, cache, shownId, nowMs: clock.nowMs })
  onChange(route, () => {
    const id = shownId()
    if (id) poller.refresh(id)
  })
  onChange(access.key, () => {
    // If the API key was removed, drops all cached tasks, because the page must not show them any longer. If
    // the key was changed, drops only cached errors: the new key may have the scope that was missing.
    if (access.key.value === null) cache.clear()
    else cache.dropFaults()
    const id = shownId()
    if (id) poller.refresh(id)
  })

  loadScopes(api, connection, access)

  return {
    api,
    connection,
    access,
    reload,
    route,
    definitions: loadDefinitions(api, connection, access, reload),
    remembered,
    cache,
    nowMs: clock.nowMs,
    async submit(submission, onWait, signal) {
      const response = await send((key) => api.submit(submission, key), onWait, signal)
      if (response.ok) goTo({ view: 'run', id: submission.name, params: { task: response.value.id } })
      return response
    },
    async replay(id, edited, onWait, signal) {
      const response = await send((key) => api.replay(id, edited, key), onWait, signal)
      if (response.ok) goTo({ view: 'task', id: response.value.id })
      return response
    },
    cancel: (id) => change(id, () => api.cancel(id)),
    retry: (id) => change(id, () => api.retry(id)),
  }

  async function send(
    request: (idempotencyKey: string) => Promise<ApiResponse<SubmittedTask>>,
    onWait: (reason: WaitReason) => void,
    signal: AbortSignal,
  ): Promise<ApiResponse<SubmittedTask>> {
    const response = await sendTask({ connection, access }, request, onWait, signal)
    if (response.ok) {
      remembered.remember(response.value)
      cache.put(response.value)
    }
    return response
  }

  /**
   * Sends a change of a task and caches the task in the response. Then loads the task again: the response
   * lacks `attempts`, and if the API refused the change, the cached task may be outdated.
   */
  async function change(
    id: string,
    request: () => Promise<ApiResponse<SubmittedTask>>,
  ): Promise<ApiResponse<unknown>> {
    const response = await withKey(access, request)
    if (response.ok) cache.put(response.value)
    poller.refresh(id)
    return response
  }
}

function loadDefinitions(
  api: ApiClient,
  connection: Connection,
  access: Access,
  reload: Reload,
): ReadonlySignal<Definition[] | null> {
  const definitions = signal<Definition[] | null>(null)
  onEveryConnect(connection, access, load)
  let version = 0
  onChange(reload.state, () => {
    const last = version
    version = reload.state.value.version
    if (last !== 0 && version !== last) void load()
  })
  return definitions

  async function load() {
    const response = await api.definitions()
    if (response.ok) definitions.value = response.value.data
  }
}

/** Loads the scopes of the API key, so that the page disables actions for which a scope is missing. */
function loadScopes(api: ApiClient, connection: Connection, access: Access) {
  onEveryConnect(connection, access, async () => {
    const key = access.key.value
    const response = await api.access()
    if (response.ok) access.setScopes(response.value.scopes, key)
  })
}

/**
 * Calls `load` when the page starts, when a new API key is entered, and after every outage, because a new
 * version of the API may have been deployed during the outage.
 */
function onEveryConnect(connection: Connection, access: Access, load: () => Promise<void>) {
  onChange(connection.state, () => {
    if (connection.state.value.isUp) void load()
  })
  onChange(access.key, () => {
    if (access.key.value !== null) void load()
  })
  void load()
}
