// Head of a task, on its own page and next to the form: title, summary, status and progress.
import type { Task } from '../api/api-client.ts'
import type { Page } from '../page.ts'
import { formatTimestamp } from '../parts/durations.ts'
import { useNow } from '../parts/now.ts'
import { useObservable } from '../parts/observable.ts'
import { StatusBadge } from '../parts/status-badge.tsx'
import type { LoadedTask } from '../state/task-cache.ts'
import { TaskProgress } from './task-progress.tsx'
import { summaryOf } from './task-summary.ts'

export interface TaskClock {
  /** Whether durations count up: the task is not final, and the API is available. */
  isTicking: boolean
  /** Time of the server's clock for all durations of the task. */
  atMs: number
}

/** Re-renders the component as time passes. A stopped clock shows the time of the last response. */
export function useTaskClock(page: Page, { task, loadedAtMs }: LoadedTask): TaskClock {
  const { isUp } = useObservable(page.connection.state)
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
      {/* Screen readers announce a new status, but not progress, counted seconds or log lines. */}
      <p class="visually-hidden" role="status">
        {`${title}: ${task.status}`}
      </p>
      <TaskProgress task={task} />
    </>
  )
}
