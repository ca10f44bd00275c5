// Detects the end of a flood by polling: seldom enough to cause no load, and often enough to be accurate.
import { pause } from '../src/base/loop.ts'

const STALLED_MS = 30_000
const MIN_PAUSE_MS = 5
const MAX_PAUSE_MS = 250

/**
 * Resolves with 0 when all tasks are finished, or with the number of unfinished tasks when it has not
 * decreased for 30 s. Each pause is half of the estimated remaining time, but not longer than the time
 * observed so far, on which the estimate is based. This detects the end within milliseconds and with few
 * queries.
 * @param clock is replaced in tests
 */
export async function untilDone(
  countUnfinished: () => Promise<number>,
  signal: AbortSignal,
  clock = { now: Date.now, pause },
): Promise<number> {
  const startedAt = clock.now()
  const first = await countUnfinished()
  let left = first
  let movedAt = startedAt
  while (left > 0 && clock.now() - movedAt < STALLED_MS) {
    const watchedMs = clock.now() - startedAt || 1
    const restMs = (left / (first - left)) * watchedMs
    const pauseMs = Math.min(restMs / 2, watchedMs, MAX_PAUSE_MS)
    await clock.pause(Math.max(pauseMs, MIN_PAUSE_MS), signal)
    signal.throwIfAborted()
    const now = await countUnfinished()
    if (now < left) movedAt = clock.now()
    left = now
  }
  return left
}
