// How the end of a flood is seen: by asking, rarely enough to be no load, and often enough to be right.
import { pause } from '../src/base/loop.ts'

const STALLED_MS = 30_000
const LEAST_PAUSE_MS = 5
const MOST_PAUSE_MS = 250

/**
 * Resolves with 0 when all is done, or with what is left when nothing has moved for a while. It asks again after half of
 * the time that the rest should take, and never after more than it has watched so far, which is all that it knows of that:
 * the end is seen within milliseconds, with a handful of questions.
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
    const pauseMs = Math.min(restMs / 2, watchedMs, MOST_PAUSE_MS)
    await clock.pause(Math.max(pauseMs, LEAST_PAUSE_MS), signal)
    signal.throwIfAborted()
    const now = await countUnfinished()
    if (now < left) movedAt = clock.now()
    left = now
  }
  return left
}
