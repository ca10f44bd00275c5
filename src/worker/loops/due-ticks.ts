// Decides which ticks of a due schedule make a task. Pure.
import { timingOf } from '../../definitions/schedule.ts'
import { lastTicks, nextTick } from '../../definitions/schedule-times.ts'
import type { DueSchedule } from '../../store/due-schedules.ts'

export interface TickDecision {
  /** The ticks that make a task, in ms since 1970. */
  ticks: number[]
  /** The tick that waits for the end of a task; null if none does. */
  waitingMs: number | null
  /** Number of other ticks that were dealt with. */
  skipped: number
  /** The next tick. */
  nextMs: number
}

// A tick counts as missed from this delay on. It is longer than a restart of all workers.
export const MISSED_AFTER_MS = 60_000
// Maximum number of ticks that are dealt with together, the latest ones. Earlier ones are dropped.
export const MAX_TICKS = 100

/** @param nowMs the time of Postgres */
export function decideTicks(schedule: DueSchedule, nowMs: number): TickDecision {
  const { overlap, isBlocked, waitingMs } = schedule
  const { due, next } = dueTicks(schedule, nowMs)
  const waiting = waitingMs === null ? [] : [waitingMs]
  const candidates = [...waiting, ...withoutMissed(schedule, due, nowMs)]
  const first = waitingMs ?? candidates.at(-1)
  const mayMakeOne = overlap !== 'allow' && !isBlocked && first !== undefined
  const ticks = overlap === 'allow' ? candidates : mayMakeOne ? [first] : []
  const stillWaiting = overlap === 'wait' && isBlocked && first !== undefined ? [first] : []
  return {
    ticks,
    waitingMs: stillWaiting[0] ?? null,
    skipped: due.length + waiting.length - ticks.length - stillWaiting.length,
    nextMs: next,
  }
}

/**
 * Returns the ticks from `nextMs` on that are due, at most `MAX_TICKS`, and the one after them. `nextMs`
 * itself is a tick even if newer rules of its time zone say otherwise.
 */
function dueTicks(schedule: DueSchedule, nowMs: number): { due: number[]; next: number } {
  const { nextMs } = schedule
  if (nextMs > nowMs) return { due: [], next: nextMs }
  const timing = timingOf(schedule)
  const second = nextTick(timing, nextMs)
  // Usually one tick is due.
  if (second > nowMs) return { due: [nextMs], next: second }
  const due = [nextMs, ...lastTicks(timing, nextMs, nowMs, MAX_TICKS)].slice(-MAX_TICKS)
  return { due, next: nextTick(timing, nowMs) }
}

/** Leaves out the missed ticks that are not caught up. */
function withoutMissed({ catchUp }: DueSchedule, due: number[], nowMs: number): number[] {
  const inTime = due.filter((tickMs) => nowMs - tickMs <= MISSED_AFTER_MS)
  const missed = due.slice(0, due.length - inTime.length)
  if (catchUp === 'all') return due
  return catchUp === 'one' ? [...missed.slice(-1), ...inTime] : inTime
}
