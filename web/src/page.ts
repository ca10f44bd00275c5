// Everything behind the page that is not to be seen: what it knows, and the loops that keep it true.
import { type Access, createAccess, withKey } from './api/access.ts'
import type { Answer } from './api/api-answer.ts'
import {
  type ApiClient,
  createApiClient,
  type Definition,
  type Submission,
  type Task,
} from './api/api-client.ts'
import { type Connection, createConnection } from './api/connection.ts'
import { createServerClock } from './api/server-clock.ts'
import { createObservable, type Observable } from './parts/observable.ts'
import { createRoute, goTo, type Route, shownTaskOf } from './route.ts'
import { createRememberedTasks, type RememberedTasks } from './run/remembered-tasks.ts'
import { type HeldReason, type SubmittedTask, sendTask } from './run/submission.ts'
import { createLiveTasks, type LiveTasks } from './task/live-tasks.ts'
import { startTaskPoller } from './task/task-poller.ts'

export interface Page {
  /** For what a view asks and keeps to itself; see `useAnswer`. */
  api: ApiClient
  connection: Connection
  access: Access
  route: Observable<Route>
  /** What can be submitted; null until the API has told. */
  definitions: Observable<Definition[] | null>
  remembered: RememberedTasks
  live: LiveTasks
  /** The server's time. */
  nowMs: () => number
  /** Sends a task and shows it; see `sendTask`. */
  submit(
    submission: Submission,
    onHeld: (reason: HeldReason) => void,
    signal: AbortSignal,
  ): Promise<Answer<unknown>>
  /** Sends a task once more, with this input, and shows the new one. */
  replay(
    id: string,
    edited: Omit<Submission, 'name'>,
    onHeld: (reason: HeldReason) => void,
    signal: AbortSignal,
  ): Promise<Answer<unknown>>
  cancel(id: string): Promise<Answer<unknown>>
  retry(id: string): Promise<Answer<unknown>>
}

export function startPage(): Page {
  const clock = createServerClock()
  const access = createAccess((key) => api.tryKey(key))
  const api = createApiClient({ clock, note: (fault) => connection.note(fault), access })
  const connection = createConnection(api.findFault)
  const route = createRoute()
  const remembered = createRememberedTasks()
  const live = createLiveTasks(remembered, clock.nowMs)
  const shownId = () => shownTaskOf(route.get())
  const poller = startTaskPoller({ api, connection, access, remembered, live, shownId, nowMs: clock.nowMs })
  route.subscribe(() => {
    const id = shownId()
    if (id) poller.refresh(id)
  })
  access.key.subscribe(() => {
    // Another key may see other things; without one nothing stays in sight.
    if (access.key.get() === null) live.clear()
    else live.forgetRefusals()
    const id = shownId()
    if (id) poller.refresh(id)
  })

  keepScopes(api, connection, access)

  return {
    api,
    connection,
    access,
    route,
    definitions: keepDefinitions(api, connection, access),
    remembered,
    live,
    nowMs: clock.nowMs,
    async submit(submission, onHeld, signal) {
      const answer = await send((key) => api.submit(submission, key), onHeld, signal)
      if (answer.ok) goTo({ view: 'run', id: submission.name, params: { task: answer.value.id } })
      return answer
    },
    async replay(id, edited, onHeld, signal) {
      const answer = await send((key) => api.replay(id, edited, key), onHeld, signal)
      if (answer.ok) goTo({ view: 'task', id: answer.value.id })
      return answer
    },
    cancel: (id) => change(id, () => api.cancel(id)),
    retry: (id) => change(id, () => api.retry(id)),
  }

  async function send(
    ask: (idempotencyKey: string) => Promise<Answer<SubmittedTask>>,
    onHeld: (reason: HeldReason) => void,
    signal: AbortSignal,
  ): Promise<Answer<SubmittedTask>> {
    const answer = await sendTask({ connection, access }, ask, onHeld, signal)
    if (answer.ok) {
      remembered.remember(answer.value)
      live.saw(answer.value)
    }
    return answer
  }

  /** Shows what a change made of the task, and also what it is when the change was refused. */
  async function change(
    id: string,
    ask: () => Promise<Answer<Omit<Task, 'attempts'>>>,
  ): Promise<Answer<unknown>> {
    const answer = await withKey(access, ask)
    if (answer.ok) live.saw(answer.value)
    poller.refresh(id)
    return answer
  }
}

function keepDefinitions(
  api: ApiClient,
  connection: Connection,
  access: Access,
): Observable<Definition[] | null> {
  const definitions = createObservable<Definition[] | null>(null)
  atEveryArrival(connection, access, async () => {
    const answer = await api.definitions()
    if (answer.ok) definitions.set(answer.value.data)
  })
  return definitions
}

/** So that what a key may not do is not even offered. */
function keepScopes(api: ApiClient, connection: Connection, access: Access) {
  atEveryArrival(connection, access, async () => {
    const key = access.key.get()
    const answer = await api.access()
    if (answer.ok) access.learn(answer.value.scopes, key)
  })
}

/**
 * At the start, again when the API has been away, as it may have come back as another version, and again when it has let
 * the page in.
 */
function atEveryArrival(connection: Connection, access: Access, load: () => Promise<void>) {
  connection.state.subscribe(() => {
    if (connection.state.get().isUp) void load()
  })
  access.key.subscribe(() => {
    if (access.key.get() !== null) void load()
  })
  void load()
}
