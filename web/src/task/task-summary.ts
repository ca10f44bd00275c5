// Describes the state of a task: title, one-sentence summary, number of attempts, and times. Pure functions.
import type { Definition, Task } from '../api/api-client.ts'
import { formatDuration, formatSeconds } from '../parts/durations.ts'

/** Returns the title of the task's definition; its name if the API does not know the definition. */
export function titleOf({ name }: { name: string }, definitions: Definition[]): string {
  return definitions.find((definition) => definition.name === name)?.title ?? name
}

/** Returns one sentence about the state of the task. @param nowMs current time by the server's clock */
export function summaryOf(task: Task, nowMs: number): string {
  switch (task.status) {
    case 'PENDING':
    case 'RETRY':
      return heldSummary(task.waits_for) ?? waitingSummary(task, Date.parse(task.run_at) - nowMs)
    case 'STARTED':
      // A cancellation reaches the worker as a Redis signal. A worker that misses the signal learns of the
      // cancellation with its next heartbeat, and it sends one every second: hence "within a second".
      if (task.cancel_requested_at) return 'Cancellation requested; the worker is notified within a second.'
      return `Running for ${formatSeconds(nowMs - Date.parse(task.started_at ?? task.created_at))}.`
    case 'SUCCESS':
      return `Succeeded ${formatDuration(spanMs(task.created_at, task.finished_at))} after submission.`
    case 'FAILURE':
      return task.error?.retryable === false
        ? 'Failed with an error that is not retryable.'
        : `Failed after ${task.attempt} ${task.attempt === 1 ? 'attempt' : 'attempts'}.`
    case 'CANCELLED':
      if (hasExpired(task)) return `Expired before ${task.started_at ? 'its next attempt' : 'it started'}.`
      return task.started_at ? 'Cancelled before it finished.' : 'Cancelled before it started.'
  }
}

/**
 * Returns what a held task waits for; null if it only waits for its time, which `waitingSummary` counts down.
 */
function heldSummary(wait: Task['waits_for']): string | null {
  if (!wait || wait.reason === 'due') return null
  return `${wait.message.charAt(0).toUpperCase()}${wait.message.slice(1)}.`
}

/** Returns whether the task was cancelled because it had not started by `expires_at`. */
export function hasExpired({
  status,
  error,
  expires_at,
}: Pick<Task, 'status' | 'error' | 'expires_at'>): boolean {
  return status === 'CANCELLED' && expires_at !== null && error?.name === 'Expired'
}

function waitingSummary(task: Task, untilDueMs: number): string {
  if (untilDueMs > 0) {
    const subject = task.status === 'RETRY' ? 'The next attempt' : 'The task'
    // Rounds the time until the task is due up to whole seconds: the text counts down to "1 s", not to "0 s".
    return `${subject} starts in ${formatSeconds(untilDueMs + 999)}.`
  }
  return untilDueMs > -1_000
    ? 'Waiting for a worker.'
    : `Waiting for a worker for ${formatSeconds(-untilDueMs)}.`
}

/** Returns the highest attempt number that the retry budget of the task allows. */
export function maxAttempts({ status, attempt, failures, max_retries }: Task): number {
  // After `failures` failed attempts, `max_retries - failures + 1` further attempts are allowed. If the task
  // runs, has succeeded or was cancelled, the first of these counts as started: `attempt` is its number. If
  // the task waits or has failed, none of these has started.
  const isBetweenAttempts = status === 'PENDING' || status === 'RETRY' || status === 'FAILURE'
  return attempt + max_retries - failures + (isBetweenAttempts ? 1 : 0)
}

/**
 * Returns whether only a late end of the attempt is known, e.g. because a crash of Postgres has undone its
 * claim. Such an attempt is no part of the history of the task.
 */
export function hasOnlyLateEnd({ error, refused }: Task['attempts'][number]): boolean {
  return refused !== null && error.name === 'Refused'
}

/** Returns the failed and lost attempts of the task. */
export function failedAttemptsOf({ attempts }: Task): Task['attempts'] {
  return attempts.filter((attempt) => !hasOnlyLateEnd(attempt))
}

/**
 * Returns how many milliseconds a task waited for its first attempt. A task that never started has waited
 * until its end (e.g. its cancellation), or until `nowMs` if it still waits.
 */
export function waitedMs(task: Task, nowMs: number): number {
  const firstStart = failedAttemptsOf(task)[0]?.started_at ?? task.started_at
  const end = firstStart ?? task.finished_at
  return (end ? Date.parse(end) : nowMs) - Date.parse(task.created_at)
}

/** Returns how many milliseconds the current or last attempt has run; null if start or end is not known. */
export function ranMs(task: Task, nowMs: number): number | null {
  if (!task.started_at) return null
  if (task.status === 'STARTED') return nowMs - Date.parse(task.started_at)
  const last = failedAttemptsOf(task).find(({ attempt }) => attempt === task.attempt)
  const end = last?.ended_at ?? task.finished_at
  return end ? spanMs(task.started_at, end) : null
}

/** Returns the milliseconds between two timestamps; 0 if the second is null. */
export function spanMs(from: string, to: string | null): number {
  return to ? Date.parse(to) - Date.parse(from) : 0
}
