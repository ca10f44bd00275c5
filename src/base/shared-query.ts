// Shares the result of a database query among all callers, so that its cost depends on time and not on the
// number of open pages.
import { pause } from './loop.ts'

export interface SharedQuery<T> {
  /**
   * Resolves with a recent value: at most one second old if the query is fast, a few seconds old if it is
   * slow. If there is a value younger than `MAX_AGE_MS`, it waits at most `MAX_WAIT_MS` for a newer one.
   * @throws the error of the newest query
   */
  read(): Promise<T>
  /**
   * Discards the current value, because this process has changed the data. Later reads wait for a new query.
   */
  invalidate(): void
}

// Frequent enough for a page that a person is watching.
const MIN_PAUSE_MS = 1_000
// Pause between the starts of two queries, as a multiple of the duration of a query. So a query uses at most
// a tenth of the time of one database connection. `MAX_PAUSE_MS` limits the pause after slow queries.
const PAUSE_PER_DURATION = 10
const MAX_PAUSE_MS = 10_000
// How long a call waits for a new value. If the query takes longer, later calls get its value.
const MAX_WAIT_MS = 40
// Older values are not returned, even while a new query runs.
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
        // After `invalidate` this query is outdated: it may have read the data before the change.
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
          // After a failure the previous value is not returned any more: the next call waits for a new query.
          last = undefined
        }
        throw error
      },
    )
    // A failure after all callers have got the previous value must not count as an unhandled rejection.
    result.catch(() => {})
    return result
  }
}

/**
 * Resolves with the newer value, or with the last one after `MAX_WAIT_MS`.
 * @throws the error of `newer` before that
 */
async function newerOrLast<T>(newer: Promise<T>, last: T): Promise<T> {
  const done = new AbortController()
  try {
    return await Promise.race([newer, pause(MAX_WAIT_MS, done.signal).then(() => last)])
  } finally {
    done.abort()
  }
}

// Callers choose the keys, so their number must be bounded. Pages in use at one time need far fewer.
const MAX_KEYS = 100

/** Creates a shared query per key; the queries of the `MAX_KEYS` most recently used keys are kept. */
export function createSharedQueries<T>(load: (key: number) => Promise<T>): (key: number) => Promise<T> {
  const queries = new Map<number, SharedQuery<T>>()
  return (key) => {
    const query = queries.get(key) ?? createSharedQuery(() => load(key))
    // A Map keeps insertion order. Re-inserting moves a key to the end; the least recently used comes first.
    queries.delete(key)
    queries.set(key, query)
    if (queries.size > MAX_KEYS) for (const oldest of [...queries.keys()].slice(0, 1)) queries.delete(oldest)
    return query.read()
  }
}
