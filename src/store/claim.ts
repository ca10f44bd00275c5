// Claims tasks for a worker: PENDING or RETRY becomes STARTED.
import { type BatchStatement, booleans, IS_GIVEN, inLockOrder, integers, uuids } from './columns.ts'
import type { Database } from './database.ts'
import { sql } from './drizzle.ts'
import { NOT_LIMITED } from './held/conditions.ts'
import { NOT_PAUSED } from './queue-store.ts'
import { REQUEST_ID } from './task-columns.ts'

export interface Claim {
  id: string
  /**
   * Number of the task's last attempt (0 before the first one), from the task reference in Redis. The claim
   * starts the next attempt.
   */
  attempt: number
  workerId: string
  /**
   * True if this worker repeats a claim whose response was lost. If the first claim was committed, the
   * repeated one returns the task as well.
   */
  isRepeated: boolean
}

export interface ClaimedTask {
  id: string
  name: string
  input: unknown
  /** Number of the attempt that the claim started. */
  attempt: number
  failures: number
  maxRetries: number
  timeoutMs: number
  /** How long the task had been due (since `run_at`) when it was claimed, in ms by the clock of Postgres. */
  waitMs: number
  requestId: string | null
  traceparent: string | null
  hasCallback: boolean
  /** True for a held task: its end frees what it uses of its limits. */
  isHeld?: true
}

/** Columns of a `ClaimedTask`. */
export const CLAIMED_COLUMNS = sql`tasks.id, tasks.name, tasks.input, tasks.attempt, tasks.failures,
  tasks.max_retries as "maxRetries", tasks.timeout_ms as "timeoutMs",
  greatest(0, date_part('epoch', now() - tasks.run_at) * 1000) as "waitMs",
  ${REQUEST_ID} as "requestId", tasks.traceparent, tasks.callback_url is not null as "hasCallback"`

/**
 * Claims tasks in one statement. A claim succeeds if the task is waiting and due, its last attempt is the one
 * in the claim, its queue is not paused, and neither its definition nor its queue has limits; each attempt of
 * a task is claimed only once. The result is null for all other claims, for example of a duplicate or
 * outdated task reference.
 */
export async function claimTasks(database: Database, claims: Claim[]): Promise<(ClaimedTask | null)[]> {
  const sorted = inLockOrder(claims)
  const columns = {
    id: uuids(sorted.map(({ id }) => id)),
    attempt: integers(sorted.map(({ attempt }) => attempt)),
    worker_id: uuids(sorted.map(({ workerId }) => workerId)),
    is_repeated: booleans(sorted.map(({ isRepeated }) => isRepeated || undefined)),
  }
  const rows = await database.run<ClaimedTask>(CLAIM, columns)
  const byId = new Map(rows.map((row) => [row.id, row]))
  return claims.map(({ id }) => {
    const row = byId.get(id) ?? null
    // If two claims of a batch are for the same task, the first one gets it and the second one gets null.
    byId.delete(id)
    return row
  })
}

/**
 * Lets a claim commit without waiting for the disk. If Postgres crashes before the claim is on disk, the task
 * is waiting again: the reconciler finds it, it runs a second time, and the result of the first run is
 * refused.
 */
const ASYNCHRONOUS_COMMIT = sql`set_config('synchronous_commit', 'off', true) as setting`

const CLAIM: BatchStatement = {
  name: 'claim_tasks',
  build: (rows) => sql`
    update tasks set status = 'STARTED', attempt = given.attempt + 1, worker_id = given.worker_id,
           started_at = now(), enqueued_at = coalesce(tasks.enqueued_at, now()), progress_fraction = 0, progress_message = null, version = version + 1
    from ${rows}, ${ASYNCHRONOUS_COMMIT}
    where ${IS_GIVEN}
      and (tasks.attempt = given.attempt and tasks.status in ('PENDING', 'RETRY') and tasks.run_at <= now() and ${NOT_PAUSED} and ${NOT_LIMITED}
        or given.is_repeated and tasks.attempt = given.attempt + 1 and tasks.status = 'STARTED'
           and tasks.worker_id = given.worker_id)
    returning ${CLAIMED_COLUMNS}`,
}
