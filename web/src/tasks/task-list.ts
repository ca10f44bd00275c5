// Loads one page of the task list. If the list is live, the page is loaded again every few seconds.
import { useEffect, useRef, useState } from 'preact/hooks'
import type { CompactTask, ListQuery, TaskFilter } from '../api/api-client.ts'
import type { ApiFault, ApiResponse } from '../api/api-response.ts'
import { type Poll, startPoll } from '../api/live-query.ts'
import type { Page } from '../page.ts'
import { onChange } from '../parts/on-change.ts'

export interface TaskListPage {
  tasks: CompactTask[]
  /** Cursor of the next page; null at the end of the list. */
  next: string | null
  /** Number of requests that this page needed. The API examines a limited number of rows per request. */
  requests: number
  /** When the page was loaded, by the server's clock. */
  loadedAtMs: number
}

export interface TaskList {
  page: TaskListPage | null
  /** Whether `page` was loaded for an earlier filter or cursor; the current one has no response yet. */
  isOutdated: boolean
  fault: ApiFault | null
  refresh(): void
}

export const PAGE_SIZE = 50
// Pause between two requests of a live list. It is short, so that new tasks and statuses appear soon; a
// page costs the API only a few milliseconds.
const INTERVAL_MS = 2_500
// Pause between two requests of a list that is not live. It is effectively endless, because only `refresh`
// and a change of the API key load such a list again.
const NEVER_MS = 3_600_000
// Maximum number of requests for one page. Each examines up to 30,000 rows, or 3,000 for a filter on input or
// text. After that the person decides whether to search further.
const MAX_REQUESTS = 12
// A page that needed several requests is expensive, so only every fourth round of polling loads it again.
const ROUNDS_PER_EXPENSIVE_PAGE = 4

/**
 * Loads one page of the task list and keeps it up to date.
 * @param queryKey identifies filter and page; a new key loads the list again
 * @param isLive whether to poll; otherwise the page is loaded once and by `refresh`
 */
export function useTaskList(
  { api, connection, access, nowMs }: Page,
  { queryKey, filter, isLive }: { queryKey: string; filter: () => TaskFilter; isLive: boolean },
): TaskList {
  const [known, setKnown] = useState<Known>({ page: null, queryKey, fault: null })
  const poll = useRef<Poll | null>(null)
  useEffect(() => {
    let last: { response: ApiResponse<TaskListPage>; requests: number; round: number } | null = null
    const request = async (signal: AbortSignal): Promise<ApiResponse<TaskListPage>> => {
      if (last && last.requests > 1 && ++last.round % ROUNDS_PER_EXPENSIVE_PAGE !== 0) return last.response
      const response = await readPage(filter(), (query) => api.tasks(query, signal), nowMs)
      last = response.ok ? { response, requests: response.value.requests, round: 0 } : null
      return response
    }
    const started = startPoll(
      { connection, access, request, intervalMs: isLive ? INTERVAL_MS : NEVER_MS },
      (response) =>
        setKnown((previous) =>
          response.ok
            ? { page: response.value, queryKey, fault: null }
            : { ...previous, fault: response.fault },
        ),
    )
    poll.current = {
      ...started,
      refresh() {
        last = null
        started.refresh()
      },
    }
    const unsubscribe = onChange(access.key, () => {
      // A change of the API key loads the list again, because another key can have other scopes. If the key
      // was removed, the tasks are hidden.
      if (access.key.value === null) setKnown({ page: null, queryKey, fault: null })
      poll.current?.refresh()
    })
    return () => {
      unsubscribe()
      started.stop()
    }
  }, [queryKey, isLive])
  return {
    page: known.page,
    isOutdated: known.page !== null && known.queryKey !== queryKey,
    fault: known.fault,
    refresh: () => poll.current?.refresh(),
  }
}

interface Known {
  page: TaskListPage | null
  queryKey: string
  fault: ApiFault | null
}

async function readPage(
  filter: TaskFilter,
  load: (query: ListQuery) => Promise<ApiResponse<{ data: CompactTask[]; next_cursor: string | null }>>,
  nowMs: () => number,
): Promise<ApiResponse<TaskListPage>> {
  const tasks: CompactTask[] = []
  let next: string | null = null
  for (let requests = 1; ; requests++) {
    const limit = String(PAGE_SIZE - tasks.length)
    const response = await load({ ...filter, limit, ...(next !== null && { cursor: next }) })
    if (!response.ok) return response
    tasks.push(...response.value.data)
    next = response.value.next_cursor
    if (next === null || tasks.length >= PAGE_SIZE || requests >= MAX_REQUESTS)
      return { ok: true, value: { tasks, next, requests, loadedAtMs: nowMs() } }
  }
}
