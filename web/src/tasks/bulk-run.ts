// Runs a bulk action (cancel, retry or replay many tasks): counts the tasks, and changes them batch by batch
// after the person has confirmed.
import { type ReadonlySignal, signal } from '@preact/signals'
import { createIdempotencyKey } from '../../../src/client/client.ts'
import {
  type BulkAction,
  type CompactTask,
  STATUSES,
  type TaskFilter,
  type TaskStatus,
} from '../api/api-client.ts'
import type { ApiFault } from '../api/api-response.ts'
import { createPause } from '../api/pauses.ts'
import type { Page } from '../page.ts'

export type Action = BulkAction['action']

export type BulkTarget =
  | { kind: 'selected'; tasks: CompactTask[] }
  /**
   * The action applies to all tasks that match the filter. They are counted before the person confirms the
   * action; tasks submitted after the start of this count are left out.
   */
  | { kind: 'matching'; filter: TaskFilter }

export interface BulkState {
  kind: 'counting' | 'confirming' | 'running' | 'done' | 'failed'
  /** Number of tasks that the action applies to. It grows while they are counted. */
  total: number
  /** Number of selected tasks that the action does not apply to because of their status. */
  excluded: number
  changed: number
  isStopped: boolean
  fault: ApiFault | null
}

export interface BulkRun {
  action: Action
  state: ReadonlySignal<BulkState>
  /** Starts the action, or continues it after a failure. */
  start(): void
  /** Stops the action: no further batch is sent. A batch that has been sent already is completed. */
  stop(): void
}

/** The statuses in which each action can be applied to a task. */
const APPLICABLE: Record<Action, readonly TaskStatus[]> = {
  cancel: ['PENDING', 'STARTED', 'RETRY'],
  retry: ['FAILURE', 'CANCELLED'],
  replay: STATUSES,
}

// Longest pause after a 429 (rate limit). If Retry-After asks for a longer one, the action stops with an
// error, and the person decides when to continue.
const MAX_RATE_LIMIT_PAUSE_MS = 30_000

export function createBulkRun({ api, access }: Page, action: Action, target: BulkTarget): BulkRun {
  const stopping = new AbortController()
  const state = signal<BulkState>({
    kind: 'counting',
    total: 0,
    excluded: 0,
    changed: 0,
    isStopped: false,
    fault: null,
  })
  const change = (changes: Partial<BulkState>) => (state.value = { ...state.value, ...changes })
  // The next batch to send. If its request is repeated, cursor and idempotency key stay the same, so that the
  // action "replay" does not submit copies of the same tasks twice.
  let batch = { cursor: null as string | null, key: createIdempotencyKey() }
  let isBusy = false
  const request = requestOf(action, target)
  void count()

  return {
    action,
    state,
    start() {
      if (!isBusy && state.value.kind !== 'counting') void run()
    },
    stop() {
      stopping.abort()
      change({ isStopped: true })
    },
  }

  async function count() {
    if (target.kind === 'selected') {
      const total = target.tasks.filter(({ status }) => APPLICABLE[action].includes(status)).length
      return change({ kind: 'confirming', total, excluded: target.tasks.length - total })
    }
    const filter = applicableFilter(action, target.filter)
    if (filter === null) return change({ kind: 'confirming' })
    let cursor: string | null = null
    do {
      const response = await api.countTasks(
        { ...filter, ...(cursor !== null && { cursor }) },
        stopping.signal,
      )
      if (stopping.signal.aborted) return
      if (!response.ok) return change({ kind: 'failed', fault: response.fault })
      // The first response of the count contains the cursor at which the count began. The action later starts
      // at this cursor and continues with older tasks, so it leaves out tasks submitted in the meantime.
      batch.cursor ??= response.value.first_cursor
      cursor = response.value.next_cursor
      change({ total: state.value.total + response.value.count })
    } while (cursor !== null)
    change({ kind: 'confirming' })
  }

  async function run() {
    isBusy = true
    change({ kind: 'running', fault: null })
    const fault = await runBatches()
    isBusy = false
    change(fault === null ? { kind: 'done' } : { kind: 'failed', fault })
  }

  async function runBatches(): Promise<ApiFault | null> {
    if (request === null) return null
    while (!stopping.signal.aborted) {
      const cursor = request.filter && batch.cursor !== null ? { cursor: batch.cursor } : {}
      const response = await api.bulk({ ...request, ...cursor }, batch.key)
      if (!response.ok) {
        const { status, retryAfterMs } = response.fault
        if (status === 401 && (await access.untilKeyEntered())) continue
        // A batch is sent again after a 401 (when a key is entered) and after a 429 (when Retry-After has
        // passed). Any other error ends the action.
        if (status !== 429 || retryAfterMs > MAX_RATE_LIMIT_PAUSE_MS) return response.fault
        await createPause().start(Math.max(retryAfterMs, 500))
        continue
      }
      const { changed, next_cursor: next } = response.value
      change({ changed: state.value.changed + changed })
      if (next === null) return null
      batch = { cursor: next, key: createIdempotencyKey() }
    }
    return null
  }
}

/** Returns the body of the bulk request, without the cursor; null if the action applies to no task. */
function requestOf(action: Action, target: BulkTarget): BulkAction | null {
  if (target.kind === 'selected') {
    const ids = target.tasks.filter(({ status }) => APPLICABLE[action].includes(status)).map(({ id }) => id)
    return ids.length > 0 ? { action, ids } : null
  }
  const filter = applicableFilter(action, target.filter)
  return filter === null ? null : { action, filter }
}

/** Returns the filter, restricted to statuses that the action applies to; null if no status remains. */
function applicableFilter(action: Action, filter: TaskFilter): TaskFilter | null {
  const wanted = filter.status?.split(',')
  const statuses = APPLICABLE[action].filter((status) => wanted?.includes(status) ?? true)
  if (statuses.length === 0) return null
  return statuses.length === STATUSES.length ? filter : { ...filter, status: statuses.join(',') }
}
