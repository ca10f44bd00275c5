// Loads the log of a task, and polls for new lines while the task runs.
import { useRef, useState } from 'hono/jsx/dom'
import { LOG_LINES, type LogLine, type Task } from '../api/api-client.ts'
import { startPoll } from '../api/live-query.ts'
import type { Page } from '../page.ts'
import { useEffect } from '../parts/effect.ts'

export interface TaskLog {
  lines: LogLine[]
  /** Loads further lines; null when there are none, or when they are loaded automatically. */
  loadMore: (() => void) | null
  /** Why the API refused the log; null if it did not. */
  fault: string | null
  isLoaded: boolean
}

// Workers write log lines twice a second.
const INTERVAL_MS = 1_000
const IDLE_MS = 3_600_000
// This many full pages (some megabytes) are loaded without a pause. The person can load more with a button.
const MAX_PAGES = 5

/** @param isFollowed whether to poll for new lines while the task runs */
export function useTaskLog(page: Page, task: Task, isFollowed: boolean): TaskLog {
  const [lines, setLines] = useState<LogLine[]>([])
  const [isLoaded, setIsLoaded] = useState(false)
  const [isCut, setIsCut] = useState(false)
  const [fault, setFault] = useState<string | null>(null)
  const [round, setRound] = useState(0)
  const after = useRef(0)
  const isRunning = task.status === 'STARTED'

  // A new status starts a new poll. Workers store the last lines before the final status, so the poll that
  // starts with the final status loads them.
  useEffect(() => {
    if (isRunning && !isFollowed) return
    const poll = startPoll(
      {
        connection: page.connection,
        access: page.access,
        request: (signal) => page.api.logs(task.id, after.current ?? 0, signal),
        intervalMs: isRunning ? INTERVAL_MS : IDLE_MS,
      },
      (response) => {
        if (!response.ok) {
          if (response.fault.kind === 'refused') setFault(response.fault.detail)
          return
        }
        const { data, next_after } = response.value
        after.current = next_after
        pages++
        setFault(null)
        setIsLoaded(true)
        if (data.length > 0) setLines((known) => [...known, ...data])
        const isMore = data.length === LOG_LINES
        setIsCut(isMore && pages >= MAX_PAGES)
        if (isMore && pages < MAX_PAGES) queueMicrotask(() => poll.refresh())
      },
    )
    let pages = 0
    return () => poll.stop()
  }, [task.id, task.status, task.attempt, isFollowed, round])

  return { lines, isLoaded, fault, loadMore: isCut ? () => setRound(round + 1) : null }
}
