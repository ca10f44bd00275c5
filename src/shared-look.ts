// One look at the tables for all who ask: what it costs depends on time, and not on how many pages are open.
import { pause } from './loop.ts'

export interface SharedLook<T> {
  /**
   * What was seen lately: within a second where a look is quick, within some seconds where it is not. Does not wait long for
   * a new look while there is an old one to answer with. @throws what the newest look threw
   */
  see(): Promise<T>
  /** Whoever asks from now on sees what is there now: this process has just changed it. */
  forget(): void
}

// What nobody notices as late, and often enough for a page that is looked at.
const SHORTEST_PAUSE_MS = 1_000
// A look may take a tenth of one connection's time.
const PAUSE_PER_COST = 10
const LONGEST_PAUSE_MS = 10_000
// A quick look is waited for, so that it is new; what takes longer is for those who ask next.
const PATIENCE_MS = 40
// An older one would be a lie.
const OLDEST_MS = 15_000

export function createSharedLook<T>(load: () => Promise<T>): SharedLook<T> {
  let last: { value: T; begunMs: number; pauseMs: number } | undefined
  let underWay: Promise<T> | undefined
  return {
    see() {
      const ageMs = last ? performance.now() - last.begunMs : Number.POSITIVE_INFINITY
      if (last && ageMs < last.pauseMs) return Promise.resolve(last.value)
      underWay ??= look()
      return last && ageMs < OLDEST_MS ? soonOr(last.value, underWay) : underWay
    },
    forget() {
      last = undefined
      underWay = undefined
    },
  }

  function look(): Promise<T> {
    const begunMs = performance.now()
    const looking = load().then(
      (value) => {
        // After `forget` another one is under way: this one has seen what was before.
        if (underWay !== looking) return value
        underWay = undefined
        const costMs = performance.now() - begunMs
        const pauseMs = Math.min(Math.max(SHORTEST_PAUSE_MS, PAUSE_PER_COST * costMs), LONGEST_PAUSE_MS)
        last = { value, begunMs, pauseMs }
        return value
      },
      (error) => {
        if (underWay === looking) {
          underWay = undefined
          // What was before says nothing about what is.
          last = undefined
        }
        throw error
      },
    )
    // Whoever has been answered meanwhile does not hear of its failure; the next one does.
    looking.catch(() => {})
    return looking
  }
}

/** @throws what the newer one throws before patience has ended */
async function soonOr<T>(last: T, newer: Promise<T>): Promise<T> {
  const done = new AbortController()
  try {
    return await Promise.race([newer, pause(PATIENCE_MS, done.signal).then(() => last)])
  } finally {
    done.abort()
  }
}

// Whoever asks may choose the key, and nobody looks at so many at once.
const MOST_KEYS = 100

/** A look for every key. */
export function createSharedLooks<T>(load: (key: number) => Promise<T>): (key: number) => Promise<T> {
  const looks = new Map<number, SharedLook<T>>()
  return (key) => {
    const look = looks.get(key) ?? createSharedLook(() => load(key))
    // The one that was asked for longest ago comes first.
    looks.delete(key)
    looks.set(key, look)
    if (looks.size > MOST_KEYS) for (const oldest of [...looks.keys()].slice(0, 1)) looks.delete(oldest)
    return look.see()
  }
}
