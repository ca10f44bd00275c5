// A task told to a person: one sentence about now, and what happened so far. Pure.
import type { Task, TaskStatus } from '../api/api-client.ts'
import { formatDuration, formatSeconds } from '../parts/durations.ts'

export interface StoryEvent {
  at: string
  status: TaskStatus
  title: string
  detail: string | null
  /** True for what has not happened yet. */
  isAhead: boolean
}

/** Where the task stands at this moment of the server's clock. */
export function summaryOf(task: Task, nowMs: number): string {
  switch (task.status) {
    case 'PENDING':
    case 'RETRY':
      return waitingSummary(task, Date.parse(task.run_at) - nowMs)
    case 'STARTED':
      if (task.cancel_requested_at) return 'Asked to stop; the worker is told within a second.'
      return `Running for ${formatSeconds(nowMs - Date.parse(task.started_at ?? task.created_at))}.`
    case 'SUCCESS':
      return `Done ${formatDuration(spanMs(task.created_at, task.finished_at))} after it was submitted.`
    case 'FAILURE':
      return task.error?.retryable === false
        ? 'Failed, and another attempt would not have helped.'
        : `Failed after ${task.attempt} ${task.attempt === 1 ? 'attempt' : 'attempts'}.`
    case 'CANCELLED':
      return task.started_at ? 'Stopped before it was done.' : 'Taken back before it was started.'
  }
}

function waitingSummary(task: Task, untilDueMs: number): string {
  if (untilDueMs > 0) {
    const what = task.status === 'RETRY' ? 'The next attempt' : 'It'
    return `${what} starts in ${formatSeconds(untilDueMs + 999)}.`
  }
  return untilDueMs > -1_000
    ? 'Waiting for a worker.'
    : `Waiting for a worker for ${formatSeconds(-untilDueMs)}.`
}

/** How many attempts there can be in all, as things stand. */
export function attemptsAllowed({ status, attempt, failures, max_retries }: Task): number {
  const isAttemptSpent = status === 'PENDING' || status === 'RETRY' || status === 'FAILURE'
  return attempt + max_retries - failures + (isAttemptSpent ? 1 : 0)
}

/** Until its first attempt, in milliseconds; until now for a task that has had none. */
export function waitedMs(task: Task, nowMs: number): number {
  const firstStart = task.attempts[0]?.started_at ?? task.started_at
  const end = firstStart ?? task.finished_at
  return (end ? Date.parse(end) : nowMs) - Date.parse(task.created_at)
}

/** How long the current or last attempt has run, in milliseconds; null without one. */
export function ranMs(task: Task, nowMs: number): number | null {
  if (!task.started_at) return null
  if (task.status === 'STARTED') return nowMs - Date.parse(task.started_at)
  const end = task.attempts.find(({ attempt }) => attempt === task.attempt)?.ended_at ?? task.finished_at
  return end ? spanMs(task.started_at, end) : null
}

// A task can be tried a thousand times; the last few tell why.
const EVENTS_OF_ATTEMPTS = 20

export function storyOf(task: Task): StoryEvent[] {
  const failed = task.attempts.slice(-EVENTS_OF_ATTEMPTS).map(({ attempt, error, started_at, ended_at }) => ({
    at: ended_at,
    status: 'RETRY' as const,
    title: `Attempt ${attempt} failed${started_at ? ` after ${formatDuration(spanMs(started_at, ended_at))}` : ''}`,
    detail: `${error.name}: ${error.message}`,
  }))
  const events = [
    { at: task.created_at, status: 'PENDING' as const, title: 'Submitted' },
    ...failed,
    ...currentAttempt(task),
    ...(task.cancel_requested_at
      ? [{ at: task.cancel_requested_at, status: 'CANCELLED' as const, title: 'Asked to stop' }]
      : []),
    ...ending(task),
    ...nextAttempt(task),
  ]
  return events.map((event) => ({ detail: null, isAhead: false, ...event }))
}

/** An attempt that failed is told by the history. */
function currentAttempt({ status, attempt, attempts, started_at }: Task) {
  if (!started_at || attempts.some((known) => known.attempt === attempt)) return []
  if (status === 'PENDING' || status === 'RETRY') return []
  return [{ at: started_at, status: 'STARTED' as const, title: `Attempt ${attempt} started` }]
}

function ending({ status, finished_at, started_at }: Task) {
  if (!finished_at) return []
  const titles: Partial<Record<TaskStatus, string>> = {
    SUCCESS: `Succeeded${started_at ? ` after ${formatDuration(spanMs(started_at, finished_at))}` : ''}`,
    FAILURE: 'Given up',
    CANCELLED: 'Cancelled',
  }
  return [{ at: finished_at, status, title: titles[status] ?? 'Finished' }]
}

function nextAttempt({ status, attempt, run_at, created_at }: Task) {
  const isDelayed = status === 'PENDING' && Date.parse(run_at) > Date.parse(created_at)
  if (status !== 'RETRY' && !isDelayed) return []
  return [{ at: run_at, status: 'PENDING' as const, title: `Attempt ${attempt + 1} is due`, isAhead: true }]
}

function spanMs(from: string, to: string | null): number {
  return to ? Date.parse(to) - Date.parse(from) : 0
}
