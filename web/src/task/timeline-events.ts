// Derives the events of a task's timeline from the task and its attempts. Pure functions.
import type { Task, TaskStatus } from '../api/api-client.ts'
import { formatDuration } from '../parts/durations.ts'
import { failedAttemptsOf, hasExpired, spanMs } from './task-summary.ts'

export interface TimelineEvent {
  at: string
  status: TaskStatus
  title: string
  detail: string | null
  /** Whether the event has not happened yet, e.g. the start of the next attempt. */
  isAhead: boolean
}

// The timeline shows only this many failed attempts, the last ones: a task can have a thousand.
const MAX_FAILED_ATTEMPTS = 20

/**
 * Returns the events: submission, failed attempts, current attempt, cancellation, end, next attempt, expiry.
 */
export function timelineEventsOf(task: Task): TimelineEvent[] {
  const events = [
    { at: task.created_at, status: 'PENDING' as const, title: 'Submitted' },
    ...failedAttempts(task),
    ...currentAttempt(task),
    ...(task.cancel_requested_at && !hasExpired(task)
      ? [{ at: task.cancel_requested_at, status: 'CANCELLED' as const, title: 'Cancellation requested' }]
      : []),
    ...ending(task),
    ...nextAttempt(task),
    ...expiry(task),
  ]
  return events.map((event) => ({ detail: null, isAhead: false, ...event }))
}

function failedAttempts(task: Task) {
  return failedAttemptsOf(task)
    .slice(-MAX_FAILED_ATTEMPTS)
    .map(({ attempt, error, started_at, ended_at }) => ({
      at: ended_at,
      status: 'RETRY' as const,
      title: `Attempt ${attempt} failed${started_at ? ` after ${formatDuration(spanMs(started_at, ended_at))}` : ''}`,
      detail: `${error.name}: ${error.message}`,
    }))
}

/**
 * Returns the start of the last attempt as an event. Returns none while the task waits, and none if that
 * attempt failed: the timeline shows a failed attempt as one event, at its end.
 */
function currentAttempt(task: Task) {
  const { status, attempt, started_at } = task
  if (!started_at || failedAttemptsOf(task).some((failed) => failed.attempt === attempt)) return []
  if (status === 'PENDING' || status === 'RETRY') return []
  return [{ at: started_at, status: 'STARTED' as const, title: `Attempt ${attempt} started` }]
}

function ending(task: Task) {
  const { status, finished_at, started_at } = task
  if (!finished_at) return []
  const titles: Partial<Record<TaskStatus, string>> = {
    SUCCESS: `Succeeded${started_at ? ` after ${formatDuration(spanMs(started_at, finished_at))}` : ''}`,
    FAILURE: 'Failed',
    CANCELLED: hasExpired(task) ? 'Expired' : 'Cancelled',
  }
  return [{ at: finished_at, status, title: titles[status] ?? 'Finished' }]
}

function nextAttempt({ status, attempt, run_at, created_at }: Task) {
  const isDelayed = status === 'PENDING' && Date.parse(run_at) > Date.parse(created_at)
  if (status !== 'RETRY' && !isDelayed) return []
  return [{ at: run_at, status: 'PENDING' as const, title: `Attempt ${attempt + 1} is due`, isAhead: true }]
}

/** Returns the end of a task that does not start in time, as long as it can happen. */
function expiry({ status, attempt, expires_at }: Task) {
  if (status !== 'PENDING' || attempt > 0 || expires_at === null) return []
  return [
    { at: expires_at, status: 'CANCELLED' as const, title: 'Expires if it has not started', isAhead: true },
  ]
}
