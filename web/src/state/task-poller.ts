// Polls the API in one loop for the task that the page shows and for the remembered tasks. The loop pauses
// while all of them are final, while the tab is hidden, and while the API is unreachable or requires a key.
import type { Access } from '../api/access.ts'
import type { ApiClient, Task } from '../api/api-client.ts'
import type { ApiFault } from '../api/api-response.ts'
import type { Connection } from '../api/connection.ts'
import { createPause, untilVisible } from '../api/pauses.ts'
import { onChange } from '../parts/on-change.ts'
import { isUnfinished, type RememberedTasks } from './remembered-tasks.ts'
import type { TaskCache } from './task-cache.ts'

export interface TaskPoller {
  /** Requests this task immediately, even if it is known to be final. */
  refresh(id: string): void
}

export interface TaskPollerDependencies {
  api: ApiClient
  connection: Connection
  access: Access
  remembered: RememberedTasks
  cache: TaskCache
  /** Returns the id of the task that the current route shows; null if it shows none. */
  shownId: () => string | null
  /** Returns the current time by the server's clock. */
  nowMs: () => number
}

// Number of remembered tasks that one round of polling requests, in addition to the shown task. Browsers open
// at most six HTTP/1.1 connections to a host: the loop uses four, two stay free for actions of the person.
const MAX_OTHERS_PER_ROUND = 3
// Minimum duration of a round of polling. It limits the request rate when error responses (e.g. of a proxy)
// arrive immediately.
const MIN_ROUND_MS = 200
// While a held task waits, what it waits for is read again after this time. Other requests of the task get
// its version only, which costs the API less.
const RELOAD_MS = 3_000
// Pause while no task needs a request. It is effectively endless: `refresh` and changes of the list of
// remembered tasks end it.
const IDLE_MS = 3_600_000

export function startTaskPoller(dependencies: TaskPollerDependencies): TaskPoller {
  const { api, connection, access, remembered, cache, shownId, nowMs } = dependencies
  const idsToRefresh = new Set<string>()
  const lastRequestMs = new Map<string, number>()
  const lastReloadMs = new Map<string, number>()
  const idle = createPause()
  let round = new AbortController()
  void run()
  onChange(remembered.list, idle.end)

  return {
    refresh(id) {
      idsToRefresh.add(id)
      round.abort()
      idle.end()
    },
  }

  async function run() {
    for (;;) {
      await untilVisible()
      await connection.untilUp()
      await access.untilAccepted()
      const ids = idsOfRound()
      if (ids.length === 0) {
        await idle.start(IDLE_MS)
        continue
      }
      round = new AbortController()
      const minRound = createPause().start(MIN_ROUND_MS)
      // Only the first request of a round is a long poll (`wait`). The API responds to the others
      // immediately, so the first one determines how long the round takes.
      await Promise.all([
        minRound,
        ...ids.map((id, index) => load(id, index === 0 ? waitSeconds(id, ids.length) : 0)),
      ])
    }
  }

  /**
   * Returns the ids of the tasks to request next: the shown task if it needs a request, then the unfinished
   * remembered tasks that were requested longest ago.
   */
  function idsOfRound(): string[] {
    const shown = shownId()
    const others = remembered.list.value
      .filter(({ id, status }) => id !== shown && isUnfinished(status) && cache.get(id)?.kind !== 'failed')
      .map(({ id }) => id)
      .sort((a, b) => (lastRequestMs.get(a) ?? 0) - (lastRequestMs.get(b) ?? 0))
      .slice(0, MAX_OTHERS_PER_ROUND)
    return shown !== null && needsRequest(shown) ? [shown, ...others] : others
  }

  function needsRequest(id: string): boolean {
    const cached = cache.get(id)
    return !cached || idsToRefresh.has(id) || (cached.kind === 'loaded' && !cached.task.is_final)
  }

  function waitSeconds(id: string, count: number): number {
    const cached = cache.get(id)
    if (cached?.kind !== 'loaded' || idsToRefresh.has(id)) return 0
    const seconds = secondsToWait(cached.task, nowMs())
    return count > 1 ? Math.min(seconds, 1) : seconds
  }

  function needsReload(id: string, atMs: number): boolean {
    const cached = cache.get(id)
    if (cached?.kind !== 'loaded' || !cached.task.waits_for) return false
    return idsToRefresh.has(id) || atMs - (lastReloadMs.get(id) ?? 0) >= RELOAD_MS
  }

  async function load(id: string, wait: number) {
    const startedAtMs = Date.now()
    lastRequestMs.set(id, startedAtMs)
    const isReloaded = needsReload(id, startedAtMs)
    if (isReloaded) lastReloadMs.set(id, startedAtMs)
    const response = await api.task(id, wait, round.signal, isReloaded)
    if (response.ok) cache.put(response.value)
    else if (isAboutTask(response.fault)) cache.putFault(id, response.fault)
    if (response.ok || isAboutTask(response.fault)) idsToRefresh.delete(id)
  }
}

/**
 * Checks whether the API refused the request for this task, e.g. with 404. A 401 does not count, because it
 * concerns the API key of the whole page.
 */
function isAboutTask({ kind, status }: ApiFault): boolean {
  return kind === 'refused' && status !== 401
}

/**
 * Returns the query parameter `wait` for the request of a task: after how many seconds the API responds even
 * if the task has not finished. It is 1 for a running task, because workers write progress once a second.
 */
function secondsToWait(task: Pick<Task, 'status' | 'run_at'>, nowMs: number): number {
  if (task.status === 'STARTED') return 1
  const untilDueSeconds = Math.round((Date.parse(task.run_at) - nowMs) / 100) / 10
  // A due task usually starts within a second, so it is requested often. If it has not started after 3 s, all
  // workers are probably busy, and it is requested less often.
  if (untilDueSeconds <= 0) return untilDueSeconds > -3 ? 0.25 : 1
  return Math.min(untilDueSeconds + 0.1, 10)
}
