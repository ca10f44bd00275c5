// Shows title, summary, status and progress of a task, on its own page and on the card next to the form.
import type { Task } from '../api/api-client.ts'
import type { Page } from '../page.ts'
import { formatTimestamp } from '../parts/durations.ts'
import { useNow } from '../parts/now.ts'
import { StatusBadge } from '../parts/status-badge.tsx'
import type { LoadedTask } from '../state/task-cache.ts'
import { TaskProgress } from './task-progress.tsx'
import { summaryOf } from './task-summary.ts'

export interface TaskClock {
  /** Whether durations count up: the task is not final, and the API is available. */
  isTicking: boolean
  /** Time by the server's clock up to which all durations of the task are counted. */
  atMs: number
}

/**
 * Returns the time up to which durations of the task are counted, and re-renders the component while they
 * count up. If the task is final or the API is unavailable, this is the time of the last response.
 */
export function useTaskClock(page: Page, { task, loadedAtMs }: LoadedTask): TaskClock {
  const { isUp } = page.connection.state.value
  const isTicking = isUp && !task.is_final
  useNow(isTicking)
  return { isTicking, atMs: isTicking ? page.nowMs() : loadedAtMs }
}

export interface TaskHeadProps {
  task: Task
  title: string
  clock: TaskClock
  headingLevel: 1 | 2
}

export function TaskHead({ task, title, clock, headingLevel }: TaskHeadProps) {
  const Heading = `h${headingLevel}` as const
  const { isTicking, atMs } = clock
  return (
    <>
      <header class="card-head">
        <div>
          <Heading id="task-title" class="card-title">
            {title}
          </Heading>
          <p class="card-summary">
            {isTicking || task.is_final
              ? summaryOf(task, atMs)
              : `As of ${formatTimestamp(new Date(atMs).toISOString())}.`}
          </p>
        </div>
        <StatusBadge status={task.status} />
      </header>
      {/* Screen readers announce this text: every new status, but no progress, seconds or log lines. */}
      <p class="visually-hidden" role="status">
        {`${title}: ${task.status}`}
      </p>
      <TaskProgress task={task} />
    </>
  )
}
