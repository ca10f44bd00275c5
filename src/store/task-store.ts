// Changes the status of tasks: insert, claim, finish, cancel, retry. Each write is one statement for an array
// of tasks. It changes only tasks with the expected status (and attempt), so that two processes cannot both
// make the same change of a status.
//
// Other stores that write `tasks`: dispatch-store and queue-store (`enqueued_at`), worker-store (progress),
// callback-store (`callback_id`, new callback tasks), due-schedules and schedule-store (new tasks of
// schedules) and retention-store (deletes).
import type { SQL } from 'drizzle-orm'
import type { Priority } from '../definitions/limits.ts'
import type { TaskStatus } from '../definitions/task-status.ts'
import type { Claim, ClaimedTask } from './claim.ts'
import { claimTasks } from './claim.ts'
import { type BatchStatement, IS_GIVEN, isKey, uuids } from './columns.ts'
import type { Database } from './database.ts'
import { confirmed } from './database-errors.ts'
import { sql } from './drizzle.ts'
import type { Finish } from './finish.ts'
import { finishTasks } from './finish.ts'
import { MUST_BE_HELD } from './held/conditions.ts'
import { insertTasks, insertTasksOnce } from './insert-tasks.ts'
import type { HasBacklog, NewTask, OnceResult, OnceTask } from './new-tasks.ts'
import { type RefusedAttempt, recordRefusedEnds } from './refused-ends.ts'

/** A task that is marked as enqueued in Postgres. The caller has to enqueue it in Redis. */
export interface TaskToEnqueue {
  id: string
  /** Number of the last attempt; 0 before the first. */
  attempt: number
  queue: string
  isIsolated: boolean
  /** When it was marked: `enqueued_at` in ms since 1970, by the clock of Postgres. */
  enqueuedAtMs: number
}

/** A task that waits again after a retry. */
export interface RetriedTask extends TaskToEnqueue {
  name: string
  priority: Priority | null
  /** Whether the caller must hold the task instead of enqueuing it. */
  isHeld: boolean
}

export interface CancelledTask {
  id: string
  name: string
  /** CANCELLED if the task was waiting; STARTED if it is running and its worker has to stop it. */
  status: TaskStatus
  workerId: string | null
}

export interface TaskStore {
  /**
   * Inserts all tasks or none. Returns for each task when it was marked as enqueued (ms since 1970, clock of
   * Postgres), and null if it was not. The caller must enqueue the marked ones.
   * @throws AppError `outcome_unknown` if Postgres did not confirm the statement
   */
  insertMany(newTasks: NewTask[], hasBacklog?: HasBacklog): Promise<(number | null)[]>
  /**
   * Inserts the tasks whose idempotency key is new. Returns the first submission of the key for each other task.
   * @throws like `insertMany`
   */
  insertOnceMany(newTasks: OnceTask[], hasBacklog?: HasBacklog): Promise<OnceResult[]>
  /** Claims waiting tasks for workers. The result is null for each task that could not be claimed. */
  claimMany(claims: Claim[]): Promise<(ClaimedTask | null)[]>
  /**
   * Writes the ends of attempts. Returns the new status of each task; null if the task is no longer STARTED
   * with this attempt and worker, so that the end was refused.
   */
  finishMany(finishes: Finish[]): Promise<(TaskStatus | null)[]>
  /**
   * Keeps ends that `finishMany` has refused with their attempts. Returns null for each of them; the status
   * of the task if the end is in fact the accepted one, whose response was lost.
   */
  recordRefusedMany(ends: RefusedAttempt[]): Promise<(TaskStatus | null)[]>
  /**
   * Cancels waiting tasks and requests the cancellation of running ones. The result does not contain finished
   * and unknown tasks.
   */
  cancelMany(ids: string[]): Promise<CancelledTask[]>
  /**
   * Sets failed and cancelled tasks to PENDING with a new retry budget, and marks them as enqueued. They do not
   * expire any more. The caller must enqueue the returned tasks, or hold those with `isHeld`.
   * @throws AppError `outcome_unknown` if Postgres did not confirm the statement
   */
  retryMany(ids: string[]): Promise<RetriedTask[]>
  /** Returns the status of a task; null for an unknown id. */
  statusOf(id: string): Promise<TaskStatus | null>
}

export const UNCONFIRMED_SUBMISSION =
  'Postgres did not confirm the submission: it may have been accepted. Repeat it with the same Idempotency-Key'
// A cancel needs no such message, because it may be repeated.
export const UNCONFIRMED_RETRY = 'Postgres did not confirm the retry: read the task before you repeat it'

export function createTaskStore(database: Database): TaskStore {
  return {
    insertMany: (newTasks, hasBacklog) =>
      confirmed(insertTasks(database, newTasks, hasBacklog), UNCONFIRMED_SUBMISSION),
    insertOnceMany: (newTasks, hasBacklog) =>
      confirmed(insertTasksOnce(database, newTasks, hasBacklog), UNCONFIRMED_SUBMISSION),
    claimMany: (claims) => claimTasks(database, claims),
    finishMany: (finishes) => finishTasks(database, finishes),
    recordRefusedMany: (ends) => recordRefusedEnds(database, ends),
    cancelMany: (ids) => cancelTasks(database, ids),
    retryMany: (ids) => confirmed(retryTasks(database, ids), UNCONFIRMED_RETRY),
    statusOf: (id) => statusOf(database, id),
  }
}

/**
 * CTE `locked` that locks the given tasks in the order of their ids (see `inLockOrder`). The nested loop alone
 * would lock them in the order of the given rows.
 */
function lockInOrder(rows: SQL): SQL {
  return sql`with locked as materialized (
    select tasks.id from ${rows} join tasks on ${IS_GIVEN} order by given.id for update of tasks
  )`
}

function cancelTasks(database: Database, ids: string[]): Promise<CancelledTask[]> {
  return database.run(CANCEL, { id: uuids(ids) })
}

const CANCEL: BatchStatement = {
  name: 'cancel_tasks',
  build: (rows) => sql`
    ${lockInOrder(rows)}, cancelled as (
    update tasks set
      cancel_requested_at = coalesce(cancel_requested_at, now()),
      status = case when status = 'STARTED' then status else 'CANCELLED' end,
      enqueued_at = case when status = 'STARTED' then enqueued_at end,
      finished_at = case when status = 'STARTED' then null else now() end,
      version = version + 1
    from locked where ${isKey('tasks.id', 'locked.id')} and status in ('PENDING', 'STARTED', 'RETRY')
    returning tasks.id, name, status, worker_id as "workerId"
    ), removed as (
      delete from held_tasks using cancelled where task_id = cancelled.id and status = 'CANCELLED'
    )
    select * from cancelled`,
}

function retryTasks(database: Database, ids: string[]): Promise<RetriedTask[]> {
  return database.run(RETRY, { id: uuids(ids) })
}

/** Sets FAILURE and CANCELLED tasks to PENDING; returns a `RetriedTask` for each. */
export const RETRY: BatchStatement = {
  name: 'retry_tasks',
  build: (rows) => sql`
    ${lockInOrder(rows)}
    update tasks set status = 'PENDING', failures = 0, crashes = 0, result = null, error = null, finished_at = null,
           callback_id = null, progress_fraction = 0, progress_message = null, cancel_requested_at = null,
           run_at = now(), enqueued_at = now(), expires_at = null, version = version + 1
    from locked where ${isKey('tasks.id', 'locked.id')} and status in ('FAILURE', 'CANCELLED')
    returning tasks.id, name, priority, attempt, queue, is_isolated as "isIsolated",
              extract(epoch from enqueued_at)::float8 * 1000 as "enqueuedAtMs", ${MUST_BE_HELD} as "isHeld"`,
}

async function statusOf(database: Database, id: string): Promise<TaskStatus | null> {
  const rows = await database.reads.query<{ status: TaskStatus }>(
    sql`select status from tasks where id = ${id}::uuid`,
    { name: 'status_of_task' },
  )
  return rows[0]?.status ?? null
}
