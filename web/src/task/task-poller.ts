// Asks the API how the tasks are: one loop for all of them, that rests when nothing can change, when nobody looks
// at the page, and when the API is away.
import type { Access } from '../api/access.ts'
import type { ApiFault } from '../api/api-answer.ts'
import type { ApiClient, Task } from '../api/api-client.ts'
import type { Connection } from '../api/connection.ts'
import { createPause, untilVisible } from '../api/pauses.ts'
import { isUnfinished, type RememberedTasks } from '../run/remembered-tasks.ts'
import type { LiveTasks } from './live-tasks.ts'

export interface TaskPoller {
  /** Looks at this task anew, now; also at one that was final. */
  refresh(id: string): void
}

export interface TaskPollerDependencies {
  api: ApiClient
  connection: Connection
  access: Access
  remembered: RememberedTasks
  live: LiveTasks
  /** The task on show. */
  shownId: () => string | null
  /** The server's time. */
  nowMs: () => number
}

// Browsers open six connections to one host: enough is left for what the person does.
const OTHERS_PER_ROUND = 3
// Answers that come at once, from whatever stands between, must not make the loop spin.
const SHORTEST_ROUND_MS = 200
// Whatever there is to do ends the rest.
const LONGEST_REST_MS = 3_600_000

export function startTaskPoller(dependencies: TaskPollerDependencies): TaskPoller {
  const { api, connection, access, remembered, live, shownId, nowMs } = dependencies
  const toRefresh = new Set<string>()
  const lastAskedMs = new Map<string, number>()
  const rest = createPause()
  let round = new AbortController()
  void run()
  remembered.list.subscribe(rest.end)

  return {
    refresh(id) {
      toRefresh.add(id)
      round.abort()
      rest.end()
    },
  }

  async function run() {
    for (;;) {
      await untilVisible()
      await connection.untilUp()
      await access.untilLetIn()
      const ids = idsToAsk()
      if (ids.length === 0) {
        await rest.start(LONGEST_REST_MS)
        continue
      }
      round = new AbortController()
      const pace = createPause().start(SHORTEST_ROUND_MS)
      // The first one waits for news, which sets the pace of the round.
      await Promise.all([
        pace,
        ...ids.map((id, index) => ask(id, index === 0 ? waitSeconds(id, ids.length) : 0)),
      ])
    }
  }

  /** The task on show, then those that were not asked after for the longest time. */
  function idsToAsk(): string[] {
    const shown = shownId()
    const others = remembered.list
      .get()
      .filter(({ id, status }) => id !== shown && isUnfinished(status) && live.find(id)?.kind !== 'refused')
      .map(({ id }) => id)
      .sort((a, b) => (lastAskedMs.get(a) ?? 0) - (lastAskedMs.get(b) ?? 0))
      .slice(0, OTHERS_PER_ROUND)
    return shown !== null && isToAsk(shown) ? [shown, ...others] : others
  }

  function isToAsk(id: string): boolean {
    const known = live.find(id)
    return !known || toRefresh.has(id) || (known.kind === 'seen' && !known.task.is_final)
  }

  function waitSeconds(id: string, count: number): number {
    const known = live.find(id)
    if (known?.kind !== 'seen' || toRefresh.has(id)) return 0
    const seconds = secondsUntilNews(known.task, nowMs())
    return count > 1 ? Math.min(seconds, 1) : seconds
  }

  async function ask(id: string, wait: number) {
    lastAskedMs.set(id, Date.now())
    const answer = await api.task(id, wait, round.signal)
    if (answer.ok) live.saw(answer.value)
    else if (isAboutTask(answer.fault)) live.wasRefused(id, answer.fault)
    if (answer.ok || isAboutTask(answer.fault)) toRefresh.delete(id)
  }
}

/** What shuts the whole page out says nothing about one task. */
function isAboutTask({ kind, status }: ApiFault): boolean {
  return kind === 'refused' && status !== 401
}

/**
 * How long to let the API wait. It answers at once when the task ends; everything else is seen at the next look.
 * A worker tells its progress once a second, so a running task has nothing new sooner.
 */
export function secondsUntilNews(task: Pick<Task, 'status' | 'run_at'>, nowMs: number): number {
  if (task.status === 'STARTED') return 1
  const untilDueSeconds = Math.round((Date.parse(task.run_at) - nowMs) / 100) / 10
  // A task that is due starts any moment, unless all workers are busy.
  if (untilDueSeconds <= 0) return untilDueSeconds > -3 ? 0.25 : 1
  return Math.min(untilDueSeconds + 0.1, 10)
}
