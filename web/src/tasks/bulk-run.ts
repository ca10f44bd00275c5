// One action on many tasks: counted first, done part by part once it was confirmed, and stopped whenever somebody wants.

import { createIdempotencyKey } from '../../../src/client/client.ts'
import type { ApiFault } from '../api/api-answer.ts'
import type { BulkAction, CompactTask, TaskFilter, TaskStatus } from '../api/api-client.ts'
import { createPause } from '../api/pauses.ts'
import type { Page } from '../page.ts'
import { createObservable, type Observable } from '../parts/observable.ts'
import { STATUSES } from './filters.ts'

export type Action = BulkAction['action']

export type BulkTarget =
  | { kind: 'chosen'; tasks: CompactTask[] }
  /** All that match, without what comes later. */
  | { kind: 'matching'; filter: TaskFilter }

export interface BulkState {
  kind: 'counting' | 'asking' | 'running' | 'done' | 'failed'
  /** How many the action is for; while it counts, so far. */
  total: number
  /** Of those that were meant, how many it is not for. */
  left: number
  changed: number
  isStopped: boolean
  fault: ApiFault | null
}

export interface BulkRun {
  action: Action
  state: Observable<BulkState>
  /** Begins, or goes on after a failure. */
  start(): void
  /** Nothing more is begun; what is under way ends. */
  stop(): void
}

/** What an action is for. */
const IS_FOR: Record<Action, readonly TaskStatus[]> = {
  cancel: ['PENDING', 'STARTED', 'RETRY'],
  retry: ['FAILURE', 'CANCELLED'],
  replay: STATUSES,
}

// A lost answer may come a little later; then the person decides.
const LONGEST_PATIENCE_MS = 30_000

export function createBulkRun({ api, access }: Page, action: Action, target: BulkTarget): BulkRun {
  const stopping = new AbortController()
  const state = createObservable<BulkState>({
    kind: 'counting',
    total: 0,
    left: 0,
    changed: 0,
    isStopped: false,
    fault: null,
  })
  const change = (changes: Partial<BulkState>) => state.set({ ...state.get(), ...changes })
  // What is sent again after it got no answer is the same request.
  let step = { cursor: null as string | null, key: createIdempotencyKey() }
  let isBusy = false
  const request = requestOf(action, target)
  void count()

  return {
    action,
    state,
    start() {
      if (!isBusy && state.get().kind !== 'counting') void run()
    },
    stop() {
      stopping.abort()
      change({ isStopped: true })
    },
  }

  async function count() {
    if (target.kind === 'chosen') {
      const total = target.tasks.filter(({ status }) => IS_FOR[action].includes(status)).length
      return change({ kind: 'asking', total, left: target.tasks.length - total })
    }
    const filter = narrowed(action, target.filter)
    if (filter === null) return change({ kind: 'asking' })
    let cursor: string | null = null
    do {
      const answer = await api.countTasks({ ...filter, ...(cursor !== null && { cursor }) }, stopping.signal)
      if (stopping.signal.aborted) return
      if (!answer.ok) return change({ kind: 'failed', fault: answer.fault })
      // Where the count began, the action begins: what came later was not seen by who confirms it.
      step.cursor ??= answer.value.first_cursor
      cursor = answer.value.next_cursor
      change({ total: state.get().total + answer.value.count })
    } while (cursor !== null)
    change({ kind: 'asking' })
  }

  async function run() {
    isBusy = true
    change({ kind: 'running', fault: null })
    const outcome = await goThrough()
    isBusy = false
    change(outcome === null ? { kind: 'done' } : { kind: 'failed', fault: outcome })
  }

  async function goThrough(): Promise<ApiFault | null> {
    if (request === null) return null
    while (!stopping.signal.aborted) {
      const cursor = request.filter && step.cursor !== null ? { cursor: step.cursor } : {}
      const answer = await api.bulk({ ...request, ...cursor }, step.key)
      if (!answer.ok) {
        const { status, retryAfterMs } = answer.fault
        if (status === 401 && (await access.untilGiven())) continue
        // Too many requests: the API says when there may be more.
        if (status !== 429 || retryAfterMs > LONGEST_PATIENCE_MS) return answer.fault
        await createPause().start(Math.max(retryAfterMs, 500))
        continue
      }
      const { changed, next_cursor: next } = answer.value
      change({ changed: state.get().changed + changed })
      if (next === null) return null
      step = { cursor: next, key: createIdempotencyKey() }
    }
    return null
  }
}

/** null where it is for none of them. */
function requestOf(action: Action, target: BulkTarget): BulkAction | null {
  if (target.kind === 'chosen') {
    const ids = target.tasks.filter(({ status }) => IS_FOR[action].includes(status)).map(({ id }) => id)
    return ids.length > 0 ? { action, ids } : null
  }
  const filter = narrowed(action, target.filter)
  return filter === null ? null : { action, filter }
}

/** Only those that the action is for; null where none of the statuses is. */
function narrowed(action: Action, filter: TaskFilter): TaskFilter | null {
  const asked = filter.status?.split(',')
  const fitting = IS_FOR[action].filter((status) => asked?.includes(status) ?? true)
  if (fitting.length === 0) return null
  return fitting.length === STATUSES.length ? filter : { ...filter, status: fitting.join(',') }
}
