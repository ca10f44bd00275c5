// Loads the log of a task, and polls for new lines while the task runs.
import { useEffect, useRef, useState } from 'preact/hooks'
import { LOG_LINES, type LogLine, type Task } from '../api/api-client.ts'
import { startPoll } from '../api/live-query.ts'
import type { Page } from '../page.ts'

export interface TaskLog {
  lines: LogLine[]
  /** Loads further log lines; null if there are none, or if they are loaded automatically. */
  loadMore: (() => void) | null
  /** Why the API refused to return the log; null if it did not refuse. */
  fault: string | null
  isLoaded: boolean
}

// Pause between requests for new lines of a running task. Workers write log lines twice a second.
const INTERVAL_MS = 1_000
// Pause between requests if the task does not run. It is effectively endless, because the log cannot change.
const IDLE_MS = 3_600_000
// Number of pages of a long log that are loaded immediately one after another: some megabytes. A button loads
// more of them.
const MAX_PAGES = 5

/** Loads the log of a task. @param isFollowed whether to poll for new lines while the task runs */
export function useTaskLog(page: Page, task: Task, isFollowed: boolean): TaskLog {
  const [lines, setLines] = useState<LogLine[]>([])
  const [isLoaded, setIsLoaded] = useState(false)
  const [isCut, setIsCut] = useState(false)
  const [fault, setFault] = useState<string | null>(null)
  const [round, setRound] = useState(0)
  const after = useRef(0)
  const isRunning = task.status === 'STARTED'

  // Every new status of the task starts a new poll. Workers store the last log lines before the final status,
  // so the poll that starts with the final status loads all of them.
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
