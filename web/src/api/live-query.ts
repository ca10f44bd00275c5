// Queries that are repeated while a view shows their result. They pause while the tab is hidden, while the
// API cannot be reached, and while it requires a key.
import { useEffect, useRef, useState } from 'preact/hooks'
import { onChange } from '../parts/on-change.ts'
import type { Access } from './access.ts'
import type { ApiFault, ApiResponse } from './api-response.ts'
import type { Connection } from './connection.ts'
import { createPause, untilVisible } from './pauses.ts'

export interface LiveQuery<T> {
  /**
   * The newest value; null before the first one. After a change of the query, the old value stays until the
   * first response to the new query.
   */
  value: T | null
  /** Whether `value` belongs to an earlier query. */
  isOutdated: boolean
  /** Why the last request failed; null if it succeeded. */
  fault: ApiFault | null
  /** Repeats the query immediately, e.g. after the person has changed something. */
  refresh: () => void
}

export interface QueryOptions<T> {
  /** Identifies the query, e.g. "statistics 3600". When it changes, the query ends and a new one starts. */
  queryKey: string
  request: (signal: AbortSignal) => Promise<ApiResponse<T>>
  /** Pause between a response and the next request; 3 s by default. */
  intervalMs?: number
}

// Default pause: short enough that a view looks live. Many open pages are cheap, because the API answers
// their equal requests from one shared query.
const INTERVAL_MS = 3_000

export function useQuery<T>(
  { connection, access }: { connection: Connection; access: Access },
  { queryKey, request, intervalMs = INTERVAL_MS }: QueryOptions<T>,
): LiveQuery<T> {
  const [known, setKnown] = useState<Known<T>>({ value: null, queryKey, fault: null })
  const poll = useRef<Poll | null>(null)
  useEffect(() => {
    const started = startPoll({ connection, access, request, intervalMs }, (response) =>
      setKnown((before) =>
        response.ok ? { value: response.value, queryKey, fault: null } : { ...before, fault: response.fault },
      ),
    )
    poll.current = started
    const unsubscribe = onChange(access.key, () => {
      // Clears the result when the API key is removed, because the view must no longer show it. Repeats the
      // query after every change of the key, because a new key can have other scopes.
      if (access.key.value === null) setKnown({ value: null, queryKey, fault: null })
      started.refresh()
    })
    return () => {
      unsubscribe()
      started.stop()
    }
  }, [queryKey])
  return {
    value: known.value,
    isOutdated: known.value !== null && known.queryKey !== queryKey,
    fault: known.fault,
    refresh: () => poll.current?.refresh(),
  }
}

interface Known<T> {
  value: T | null
  /** `queryKey` of the query that returned `value`. */
  queryKey: string
  fault: ApiFault | null
}

export interface Poll {
  /**
   * Sends a request immediately. Aborts a running request, because its response may not contain the change
   * for which the caller refreshes.
   */
  refresh(): void
  stop(): void
}

export interface PollDependencies<T> {
  connection: Pick<Connection, 'untilUp'>
  access: Pick<Access, 'untilAccepted'>
  request: (signal: AbortSignal) => Promise<ApiResponse<T>>
  intervalMs: number
}

// Pause after an error that may be temporary. It limits the request rate when error responses arrive
// immediately, e.g. from a proxy.
const MIN_PAUSE_MS = 200
// Pause after a refused request. It is practically endless, because the API would refuse the same request
// again. When something changes, e.g. the API key, `refresh` ends the pause.
const MAX_PAUSE_MS = 3_600_000

/** Sends a request immediately, and again after every pause until `stop` is called. */
export function startPoll<T>(
  { connection, access, request, intervalMs }: PollDependencies<T>,
  onResponse: (response: ApiResponse<T>) => void,
): Poll {
  const stopping = new AbortController()
  const pause = createPause()
  let round = new AbortController()
  void run()
  return {
    refresh() {
      round.abort()
      pause.end()
    },
    stop() {
      stopping.abort()
      round.abort()
      pause.end()
    },
  }

  async function run() {
    for (;;) {
      await untilVisible()
      await connection.untilUp(stopping.signal)
      await access.untilAccepted()
      if (stopping.signal.aborted) return
      round = new AbortController()
      const response = await request(round.signal)
      if (stopping.signal.aborted) return
      if (!round.signal.aborted && !isKeyRequired(response)) onResponse(response)
      await pause.start(round.signal.aborted ? 0 : pauseMs(response))
    }
  }

  function pauseMs(response: ApiResponse<T>): number {
    if (response.ok) return intervalMs
    // After a 401, or an error that started an outage, the pause can be short: before the next request, the
    // loop in `run` waits until the outage is over and the API has accepted a key.
    return response.fault.kind === 'refused' && !isKeyRequired(response) ? MAX_PAUSE_MS : MIN_PAUSE_MS
  }
}

/**
 * Checks whether the API responded with 401 (no valid API key). Such a response is not passed to the view,
 * because the page asks the person for a key instead.
 */
function isKeyRequired(response: ApiResponse<unknown>): boolean {
  return !response.ok && response.fault.status === 401
}
