// Shares the result of a database query among all callers for one to ten seconds, depending on its duration.
// So the number of queries does not grow with the number of open pages.
import { pause } from './loop.ts'

export interface SharedQuery<T> {
  /**
   * Resolves with the value of a recent query, or waits for a new query if one is due. After `MAX_WAIT_MS`
   * it resolves with the previous value instead, provided that this is younger than `MAX_AGE_MS`.
   * @throws the error of the newest query
   */
  read(): Promise<T>
  /**
   * Discards the current value, because this process has changed the data. Later reads wait for a new query.
   */
  invalidate(): void
}

// Minimum time between the starts of two queries: one per second is enough for a page that a person watches.
const MIN_PAUSE_MS = 1_000
// The next query starts at the earliest when ten times the duration of the last one has passed since its
// start, so that a shared query occupies a database connection for at most a tenth of the time. For queries
// that take longer than a second this share is larger, because `MAX_PAUSE_MS` limits the time between starts.
const PAUSE_PER_DURATION = 10
const MAX_PAUSE_MS = 10_000
// How long a call waits for a new value if there is a previous one. If the query takes longer, the call gets
// the previous value, and later calls get the new one.
const MAX_WAIT_MS = 40
// Maximum age of a returned value. If the last value is older, calls wait for the new query.
const MAX_AGE_MS = 15_000

export function createSharedQuery<T>(load: () => Promise<T>): SharedQuery<T> {
  let last: { value: T; startedMs: number; pauseMs: number } | undefined
  let current: Promise<T> | undefined
  return {
    read() {
      const ageMs = last ? performance.now() - last.startedMs : Number.POSITIVE_INFINITY
      if (last && ageMs < last.pauseMs) return Promise.resolve(last.value)
      current ??= query()
      return last && ageMs < MAX_AGE_MS ? newerOrLast(current, last.value) : current
    },
    invalidate() {
      last = undefined
      current = undefined
    },
  }

  function query(): Promise<T> {
    const startedMs = performance.now()
    const result = load().then(
      (value) => {
        // Does not keep the value if `invalidate` was called during this query, because the query may have
        // read the data before the change.
        if (current !== result) return value
        current = undefined
        const durationMs = performance.now() - startedMs
        const pauseMs = Math.min(Math.max(MIN_PAUSE_MS, PAUSE_PER_DURATION * durationMs), MAX_PAUSE_MS)
        last = { value, startedMs, pauseMs }
        return value
      },
      (error) => {
        if (current === result) {
          current = undefined
          // Discards the previous value after a failure, so that the next call waits for a new query.
          last = undefined
        }
        throw error
      },
    )
    // Prevents an unhandled rejection if the query fails after all callers have got the previous value.
    result.catch(() => {})
    return result
  }
}

/**
 * Resolves with the value of the running query (`newer`), or with the value of the query before it (`last`)
 * if the running query does not end within `MAX_WAIT_MS`.
 * @throws the error of the running query if it fails within that time
 */
async function newerOrLast<T>(newer: Promise<T>, last: T): Promise<T> {
  const done = new AbortController()
  try {
    return await Promise.race([newer, pause(MAX_WAIT_MS, done.signal).then(() => last)])
  } finally {
    done.abort()
  }
}

// Maximum number of keys whose queries are kept. It bounds memory, because clients choose the keys. The pages
// that are open at the same time need far fewer.
const MAX_KEYS = 100

/** Creates a shared query per key; the queries of the `MAX_KEYS` most recently used keys are kept. */
export function createSharedQueries<T>(load: (key: number) => Promise<T>): (key: number) => Promise<T> {
  const queries = new Map<number, SharedQuery<T>>()
  return (key) => {
    const query = queries.get(key) ?? createSharedQuery(() => load(key))
    // A Map keeps insertion order. Re-inserting a key moves it to the end, so the key that was not used for
    // the longest time is the first one and is removed.
    queries.delete(key)
    queries.set(key, query)
    if (queries.size > MAX_KEYS) for (const oldest of [...queries.keys()].slice(0, 1)) queries.delete(oldest)
    return query.read()
  }
}
