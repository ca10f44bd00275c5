// Divides the time since the submission of a task into spans in which it waited, ran, or paused between two
// attempts. Pure functions.
import type { Task } from '../api/api-client.ts'
import { failedAttemptsOf } from './task-summary.ts'

export interface Span {
  kind: 'waited' | 'ran' | 'paused'
  /** Number of the attempt that ran in this period, or of the next attempt if the task waited or paused. */
  attempt: number
  fromMs: number
  toMs: number
}

/**
 * Divides the time from the submission of a task to its end (or to `nowMs` by the server's clock) into
 * consecutive spans of waiting, running and pauses.
 */
export function spansOf(task: Task, nowMs: number): Span[] {
  const createdMs = Date.parse(task.created_at)
  const endMs = Math.max(createdMs, task.finished_at ? Date.parse(task.finished_at) : nowMs)
  const spans: Span[] = []
  let fromMs = createdMs
  for (const { attempt, startedMs, endedMs } of runsOf(task)) {
    add(spans.length === 0 ? 'waited' : 'paused', attempt, startedMs)
    add('ran', attempt, endedMs ?? endMs)
  }
  add(spans.length === 0 ? 'waited' : 'paused', task.attempt + 1, endMs)
  return spans

  function add(kind: Span['kind'], attempt: number, toMs: number) {
    // Skips spans that are empty or end before they start, because timestamps of machines with different
    // clocks can be out of order.
    if (toMs <= fromMs) return
    spans.push({ kind, attempt, fromMs, toMs })
    fromMs = toMs
  }
}

/**
 * Returns the attempts whose start is known. Attempts that a stopping worker released are left out, because
 * they are not stored.
 */
function runsOf(task: Task): { attempt: number; startedMs: number; endedMs: number | null }[] {
  const failed = failedAttemptsOf(task)
  const past = failed.flatMap(({ attempt, started_at, ended_at }) =>
    started_at ? [{ attempt, startedMs: Date.parse(started_at), endedMs: Date.parse(ended_at) }] : [],
  )
  const isRecorded = failed.some(({ attempt }) => attempt === task.attempt)
  const hasRun = task.status === 'STARTED' || task.status === 'SUCCESS' || task.status === 'CANCELLED'
  if (isRecorded || !hasRun || !task.started_at || task.attempt === 0) return past
  const endedMs = task.finished_at ? Date.parse(task.finished_at) : null
  return [...past, { attempt: task.attempt, startedMs: Date.parse(task.started_at), endedMs }]
}
