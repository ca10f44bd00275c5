// How the time of a task was spent: waiting, running, and pausing between two attempts. Pure.
import type { Task } from '../api/api-client.ts'

export interface Span {
  kind: 'waited' | 'ran' | 'paused'
  /** That ran, or that it waited for. */
  attempt: number
  fromMs: number
  toMs: number
}

/** In order, without gaps, up to the end of the task or to this moment of the server's clock. */
export function spansOf(task: Task, nowMs: number): Span[] {
  const createdMs = Date.parse(task.created_at)
  const endMs = Math.max(createdMs, task.finished_at ? Date.parse(task.finished_at) : nowMs)
  const spans: Span[] = []
  let fromMs = createdMs
  for (const { attempt, startedMs, endedMs } of runsOf(task)) {
    pass(spans.length === 0 ? 'waited' : 'paused', attempt, startedMs)
    pass('ran', attempt, endedMs ?? endMs)
  }
  pass(spans.length === 0 ? 'waited' : 'paused', task.attempt + 1, endMs)
  return spans

  function pass(kind: Span['kind'], attempt: number, toMs: number) {
    // Clocks of several machines may have a different idea of the order.
    if (toMs <= fromMs) return
    spans.push({ kind, attempt, fromMs, toMs })
    fromMs = toMs
  }
}

/** The attempts of which it is known when they began. */
function runsOf(task: Task): { attempt: number; startedMs: number; endedMs: number | null }[] {
  const past = task.attempts.flatMap(({ attempt, started_at, ended_at }) =>
    started_at ? [{ attempt, startedMs: Date.parse(started_at), endedMs: Date.parse(ended_at) }] : [],
  )
  const isKnown = task.attempts.some(({ attempt }) => attempt === task.attempt)
  const hasRun = task.status === 'STARTED' || task.status === 'SUCCESS' || task.status === 'CANCELLED'
  if (isKnown || !hasRun || !task.started_at || task.attempt === 0) return past
  const endedMs = task.finished_at ? Date.parse(task.finished_at) : null
  return [...past, { attempt: task.attempt, startedMs: Date.parse(task.started_at), endedMs }]
}
