// What a task has logged, as far as this page has read it; followed while the task runs.
import { useRef, useState } from 'hono/jsx/dom'
import { LOG_LINES, type LogLine, type Task } from '../api/api-client.ts'
import { startPoll } from '../api/live-answer.ts'
import type { Page } from '../page.ts'
import { useEffect } from '../parts/effect.ts'

export interface TaskLog {
  lines: LogLine[]
  /** There is more that was not read: it goes on from there. */
  readMore: (() => void) | null
  /** Why it cannot be read; null when it can. */
  fault: string | null
  isLoaded: boolean
}

// A worker writes its lines twice a second.
const INTERVAL_MS = 1_000
const REST_MS = 3_600_000
// Some megabytes at most, unless somebody asks for more.
const PAGES_AT_ONCE = 5

/** @param isFollowed whether to look for new lines while the task runs */
export function useTaskLog(page: Page, task: Task, isFollowed: boolean): TaskLog {
  const [lines, setLines] = useState<LogLine[]>([])
  const [isLoaded, setIsLoaded] = useState(false)
  const [isCut, setIsCut] = useState(false)
  const [fault, setFault] = useState<string | null>(null)
  const [round, setRound] = useState(0)
  const after = useRef(0)
  const isRunning = task.status === 'STARTED'

  // Once more when it has ended: what it said last is there when its end can be seen.
  useEffect(() => {
    if (isRunning && !isFollowed) return
    const poll = startPoll(
      {
        connection: page.connection,
        access: page.access,
        ask: (signal) => page.api.logs(task.id, after.current ?? 0, signal),
        intervalMs: isRunning ? INTERVAL_MS : REST_MS,
      },
      (answer) => {
        if (!answer.ok) {
          if (answer.fault.kind === 'refused') setFault(answer.fault.detail)
          return
        }
        const { data, next_after } = answer.value
        after.current = next_after
        pages++
        setFault(null)
        setIsLoaded(true)
        if (data.length > 0) setLines((known) => [...known, ...data])
        const isMore = data.length === LOG_LINES
        setIsCut(isMore && pages >= PAGES_AT_ONCE)
        if (isMore && pages < PAGES_AT_ONCE) queueMicrotask(() => poll.refresh())
      },
    )
    let pages = 0
    return () => poll.stop()
  }, [task.id, task.status, task.attempt, isFollowed, round])

  return { lines, isLoaded, fault, readMore: isCut ? () => setRound(round + 1) : null }
}
