// One query at the tables for all who ask: what it costs depends on time, and not on how many pages are open.
import { pause } from './loop.ts'

export interface SharedQuery<T> {
  /**
   * What was seen lately: within a second where a query is quick, within some seconds where it is not. Does not wait long for
   * a new query while there is an old one to answer with. @throws what the newest query threw
   */
  read(): Promise<T>
  /** Whoever asks from now on sees what is there now: this process has just changed it. */
  invalidate(): void
}

// What nobody notices as late, and often enough for a page that is looked at.
const SHORTEST_PAUSE_MS = 1_000
// A query may take a tenth of one connection's time.
const PAUSE_PER_COST = 10
const LONGEST_PAUSE_MS = 10_000
// A quick query is waited for, so that it is new; what takes longer is for those who ask next.
const PATIENCE_MS = 40
// An older one would be a lie.
const OLDEST_MS = 15_000

export function createSharedQuery<T>(load: () => Promise<T>): SharedQuery<T> {
  let last: { value: T; begunMs: number; pauseMs: number } | undefined
  let underWay: Promise<T> | undefined
  return {
    read() {
      const ageMs = last ? performance.now() - last.begunMs : Number.POSITIVE_INFINITY
      if (last && ageMs < last.pauseMs) return Promise.resolve(last.value)
      underWay ??= query()
      return last && ageMs < OLDEST_MS ? soonOr(last.value, underWay) : underWay
    },
    invalidate() {
      last = undefined
      underWay = undefined
    },
  }

  function query(): Promise<T> {
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

// Whoever asks may choose the key, and nobody queries at so many at once.
const MOST_KEYS = 100

/** A query for every key. */
export function createSharedQueries<T>(load: (key: number) => Promise<T>): (key: number) => Promise<T> {
  const queries = new Map<number, SharedQuery<T>>()
  return (key) => {
    const query = queries.get(key) ?? createSharedQuery(() => load(key))
    // The one that was asked for longest ago comes first.
    queries.delete(key)
    queries.set(key, query)
    if (queries.size > MOST_KEYS) for (const oldest of [...queries.keys()].slice(0, 1)) queries.delete(oldest)
    return query.read()
  }
}
