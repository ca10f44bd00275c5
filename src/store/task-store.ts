// Every write to `tasks`. Each is one conditional statement that takes an array and names the status and the attempt
// that it expects, so that two processes doing the same at once is harmless: the second changes nothing.
import type { SQL } from 'drizzle-orm'
import type { Decision, TaskStatus } from '../definitions/task-status.ts'
import { type BatchStatement, booleans, doubles, IS_GIVEN, integers, texts, uuids } from './columns.ts'
import type { Database } from './database.ts'
import { inArray, sql } from './drizzle.ts'
import { columnsOf, INSERT_TASKS, INSERT_TASKS_ONCE, type NewTask, type OnceTask } from './new-tasks.ts'
import { NOT_PAUSED } from './queue-store.ts'
import { resultTextOf } from './result-text.ts'
import { type TaskRow, tasks } from './schema.ts'

/** What a bell carries: a task, and the attempt after which it waits. Stale once the attempt has moved on. */
export interface TaskToEnqueue {
  id: string
  attempt: number
  queue: string
}

export interface ClaimedTask {
  id: string
  name: string
  input: unknown
  /** The attempt that this claim began. */
  attempt: number
  failures: number
  maxRetries: number
  timeoutMs: number
  /** By how much this attempt began after it was due: submitted, its own time, the end of a pause; by Postgres's clock. */
  waitMs: number
  requestId: string | null
  traceparent: string | null
  /** Whether somebody wants to be told when it has ended. */
  hasCallback: boolean
}

export interface Claim {
  id: string
  /** The one after which the task waits. */
  attempt: number
  workerId: string
  /** True when an earlier claim of the same worker may have been written although its answer was lost. */
  isRepeated: boolean
}

export interface Finish {
  id: string
  attempt: number
  /** Who was given the attempt. The number alone is not enough: a claim can be undone by a crash of Postgres. */
  workerId: string | null
  decision: Decision
}

export type TaskStore = ReturnType<typeof createTaskStore>

export function createTaskStore(database: Database) {
  return {
    /** Inserts all or none. A task that may run at once counts as rung: the caller rings right after the commit. */
    async insertMany(newTasks: NewTask[]): Promise<undefined[]> {
      await database.run(INSERT_TASKS, columnsOf(newTasks))
      return new Array(newTasks.length)
    },

    /**
     * Inserts those whose key is new, and answers null for them; for the others the row that was there before. May be
     * repeated when its answer was lost: then that row is the task itself.
     */
    async insertOnceMany(newTasks: OnceTask[]): Promise<(TaskRow | null)[]> {
      // In one order, so that two processes with the same keys wait for each other and not in a circle.
      const sorted = newTasks.toSorted((a, b) => (a.idempotency.key < b.idempotency.key ? -1 : 1))
      // Waits for whoever is inserting the same key, so one of the two sees the other's row afterwards.
      const inserted = await database.run<{ id: string }>(INSERT_TASKS_ONCE, columnsOf(sorted))
      const isInserted = new Set(inserted.map(({ id }) => id))
      const known = newTasks.filter(({ id }) => !isInserted.has(id))
      const rows = known.length > 0 ? await findByKeys(known.map(({ idempotency }) => idempotency.key)) : []
      const byKey = new Map(rows.map((row) => [row.idempotencyKey, row]))
      return newTasks.map(({ id, idempotency }) => {
        const row = byKey.get(idempotency.key)
        if (!row && !isInserted.has(id)) throw new Error(`Task ${id} was neither inserted nor there before`)
        return isInserted.has(id) ? null : (row ?? null)
      })
    },

    /**
     * Starts what still waits after the given attempt. A duplicate or stale bell claims nothing and is answered null.
     * Guarantees that one attempt of a task is given to one claim only.
     */
    async claimMany(claims: Claim[]): Promise<(ClaimedTask | null)[]> {
      const columns = {
        id: uuids(claims.map(({ id }) => id)),
        attempt: integers(claims.map(({ attempt }) => attempt)),
        worker_id: uuids(claims.map(({ workerId }) => workerId)),
        is_repeated: booleans(claims.map(({ isRepeated }) => isRepeated || undefined)),
      }
      const rows = await database.run<ClaimedTask>(CLAIM, columns)
      const byId = new Map(rows.map((row) => [row.id, row]))
      return claims.map(({ id }) => {
        const row = byId.get(id) ?? null
        // The same task twice in one batch: the first gets it.
        byId.delete(id)
        return row
      })
    },

    /**
     * Writes how attempts ended, with the history of those that failed. Only a STARTED task of that very attempt is
     * changed, so exactly one result is accepted; for a worker thought dead the answer is null.
     * @throws RangeError, TypeError for all of them when one result is too deep, too large or no JSON
     */
    async finishMany(finishes: Finish[]): Promise<(TaskStatus | null)[]> {
      const each = <Value>(value: (decision: Decision) => Value) =>
        finishes.map(({ decision }) => value(decision))
      const columns = {
        id: uuids(finishes.map(({ id }) => id)),
        attempt: integers(finishes.map(({ attempt }) => attempt)),
        worker_id: uuids(finishes.map(({ workerId }) => workerId)),
        status: texts(each(({ status }) => status)),
        result: texts(each(({ result }) => resultTextOf(result))),
        error: texts(each(({ error }) => error && JSON.stringify(error))),
        failures: integers(each(({ failures }) => failures)),
        delay_ms: doubles(each(({ delayMs }) => delayMs)),
      }
      const hasErrors = finishes.some(({ decision }) => decision.error !== undefined)
      // A flood of successes does not pay for a history that it has not.
      const statement = hasErrors ? FINISH_WITH_ERRORS : FINISH
      const rows = await database.run<{ id: string; status: TaskStatus; attempt: number }>(statement, columns)
      // Of the attempts of one task at most one was written.
      const written = new Map(rows.map((row) => [row.id, row]))
      return finishes.map(({ id, attempt }) => {
        const row = written.get(id)
        return row?.attempt === attempt ? row.status : null
      })
    },

    /**
     * Cancels what waits; asks for the cancellation of what runs. Finished and unknown tasks are left out of the answer.
     */
    async cancelMany(
      ids: string[],
    ): Promise<{ id: string; name: string; status: TaskStatus; workerId: string | null }[]> {
      return database.query(sql`
        update tasks set
          cancel_requested_at = coalesce(cancel_requested_at, now()),
          status = case when status = 'STARTED' then status else 'CANCELLED' end,
          finished_at = case when status = 'STARTED' then null else now() end,
          version = version + 1
        where id = any(${uuids(ids)}::uuid[]) and finished_at is null
        returning id, name, status, worker_id as "workerId"`)
    },

    /** Puts failed and cancelled tasks back with a fresh retry budget, counted as rung: the caller rings them. */
    async retryMany(ids: string[]): Promise<TaskToEnqueue[]> {
      return database.query(sql`
        update tasks set status = 'PENDING', failures = 0, result = null, error = null, finished_at = null,
               callback_id = null, progress_fraction = 0, progress_message = null, cancel_requested_at = null,
               run_at = now(), enqueued_at = now(), version = version + 1
        where id = any(${uuids(ids)}::uuid[]) and status in ('FAILURE', 'CANCELLED')
        returning id, attempt, queue`)
    },

    /** null for an unknown id. */
    async statusOf(id: string): Promise<TaskStatus | null> {
      const rows = await database.query<{ status: TaskStatus }>(
        sql`select status from tasks where id = ${id}::uuid`,
      )
      return rows[0]?.status ?? null
    },
  }

  function findByKeys(keys: string[]): Promise<TaskRow[]> {
    return database.use((drizzle) => drizzle.select().from(tasks).where(inArray(tasks.idempotencyKey, keys)))
  }
}

/**
 * For a claim, in a `from` clause: its commit is not waited for to be on the disk. Should Postgres itself crash in that
 * moment, the row waits as before, its bell is missed, and the task runs again; the result of the first run is refused.
 */
const WITHOUT_WAITING_FOR_THE_DISK = sql`set_config('synchronous_commit', 'off', true) as setting`

const CLAIM: BatchStatement = {
  name: 'claim_tasks',
  build: (rows) => sql`
    update tasks set status = 'STARTED', attempt = given.attempt + 1, worker_id = given.worker_id,
           started_at = now(), progress_fraction = 0, progress_message = null, version = version + 1
    from ${rows}, ${WITHOUT_WAITING_FOR_THE_DISK}
    where ${IS_GIVEN}
      and (tasks.attempt = given.attempt and tasks.status in ('PENDING', 'RETRY') and ${NOT_PAUSED}
        or given.is_repeated and tasks.attempt = given.attempt + 1 and tasks.status = 'STARTED'
           and tasks.worker_id = given.worker_id)
    returning tasks.id, tasks.name, tasks.input, tasks.attempt, tasks.failures,
              tasks.max_retries as "maxRetries", tasks.timeout_ms as "timeoutMs",
              greatest(0, date_part('epoch', now() - tasks.run_at) * 1000) as "waitMs",
              tasks.request_id as "requestId", tasks.traceparent,
              tasks.callback_url is not null as "hasCallback"`,
}

// Somebody may have asked to cancel after the worker last looked: then nothing is put back to wait.
const IS_CANCELLED = sql`(given.delay_ms is not null and tasks.cancel_requested_at is not null)`

const finishFrom = (rows: SQL, more = sql``) => sql`
  update tasks set
    status = case when ${IS_CANCELLED} then 'CANCELLED' else given.status end,
    result = given.result::json, error = given.error::json, failures = given.failures,
    progress_fraction = case when given.status = 'SUCCESS' then 1 else progress_fraction end,
    progress_message = case when given.status = 'SUCCESS' then null else progress_message end,
    run_at = case when given.delay_ms is null then run_at else now() + given.delay_ms * interval '1 ms' end,
    enqueued_at = case when given.delay_ms is null then enqueued_at end,
    finished_at = case when given.delay_ms is null or ${IS_CANCELLED} then now() end,
    -- A notice that comes late may stop an attempt after a retry has taken the request back.
    cancel_requested_at = case when given.status = 'CANCELLED' then coalesce(cancel_requested_at, now())
                               else cancel_requested_at end,
    version = version + 1
  from ${rows}
  where ${IS_GIVEN}
    and tasks.attempt = given.attempt and tasks.worker_id is not distinct from given.worker_id
    and tasks.status = 'STARTED'
  returning tasks.id, tasks.status, tasks.attempt${more}`

const FINISH: BatchStatement = { name: 'finish_tasks', build: (rows) => finishFrom(rows) }

const FINISH_WITH_ERRORS: BatchStatement = {
  name: 'finish_tasks_with_errors',
  build: (rows) => sql`
    with given as materialized (select * from ${rows}),
    finished as (${finishFrom(sql`given`, sql`, tasks.worker_id, tasks.started_at`)}),
    recorded as (
      insert into attempts (task_id, attempt, error, worker_id, started_at)
      select finished.id, finished.attempt, given.error::json, finished.worker_id, finished.started_at
      from finished join given on given.id = finished.id and given.attempt = finished.attempt
      where given.error is not null
    )
    select id, status, attempt from finished`,
}
