// Keeps the ends of attempts that were refused in `attempts.refused`, so that their results, errors and log
// lines are not lost.
import type { TaskStatus } from '../definitions/task-status.ts'
import {
  type BatchStatement,
  IS_GIVEN,
  inLockOrder,
  integers,
  isKey,
  texts,
  timestamps,
  uuids,
} from './columns.ts'
import type { Database } from './database.ts'
import { sql } from './drizzle.ts'
import type { Finish } from './finish.ts'
import type { RefusedEnd } from './schema.ts'

/** The end of an attempt whose write `finishTasks` has refused. */
export interface RefusedAttempt extends Finish {
  workerId: string
  /** When the attempt started, by the clock of the worker. */
  startedAt: Date
  /** What is kept of the end; undefined if it contains nothing to keep. */
  refused: RefusedEnd | undefined
}

/**
 * Keeps refused ends in the rows of their attempts in `attempts`, in one statement. Inserts the row of an
 * attempt that has none, for example because a crash of Postgres has undone its claim. Keeps only the first
 * end of an attempt, so the call may be repeated. Drops ends of deleted tasks.
 * @returns null for each refused end. If an end is in fact the accepted one of its attempt, because the
 * response to its first write was lost, keeps nothing and returns the status of the task after that end
 */
export async function recordRefusedEnds(
  database: Database,
  ends: RefusedAttempt[],
): Promise<(TaskStatus | null)[]> {
  const rows = await database.run<AcceptedEnd>(RECORD_REFUSED_ENDS, columnsOf(inLockOrder(ends)))
  return ends.map(({ id, attempt, workerId }) => {
    const accepted = rows.find((row) => row.id === id && row.attempt === attempt && row.workerId === workerId)
    return accepted?.status ?? null
  })
}

interface AcceptedEnd {
  id: string
  attempt: number
  workerId: string
  status: TaskStatus
}

function columnsOf(ends: RefusedAttempt[]) {
  return {
    id: uuids(ends.map(({ id }) => id)),
    attempt: integers(ends.map(({ attempt }) => attempt)),
    worker_id: uuids(ends.map(({ workerId }) => workerId)),
    status: texts(ends.map(({ decision }) => decision.status)),
    error: texts(ends.map(({ decision }) => decision.error && JSON.stringify(decision.error))),
    started_at: timestamps(ends.map(({ startedAt }) => startedAt)),
    refused: texts(ends.map(({ refused }) => refused && JSON.stringify(refused))),
  }
}

// SQL condition: this row of `attempts` belongs to the attempt in the row `ending`. The number alone does not
// identify an attempt (see `Finish`).
const IS_ROW_OF_END = sql`${isKey('attempts.task_id', 'ending.id')} and attempts.attempt = ending.attempt
  and attempts.worker_id = ending.worker_id`

/**
 * SQL condition: an earlier write of the same end was accepted. An accepted end with an error has a row in
 * `attempts` with the same text of the error; the row of an attempt that was ended by a reconciler has the
 * error of the reconciler. An accepted end without an error has left its status in the task, and no row.
 */
const IS_ACCEPTED = sql`case
  when ending.error is not null then exists (
    select 1 from attempts where ${IS_ROW_OF_END} and attempts.error::text = ending.error)
  else tasks.attempt = ending.attempt and tasks.worker_id = ending.worker_id
    and (tasks.status = ending.status or ending.status = 'PENDING' and tasks.status = 'CANCELLED')
    and not exists (select 1 from attempts where ${IS_ROW_OF_END})
  end`

// The lock keeps the task until its row in `attempts` is inserted, and orders concurrent calls. The version
// of the task grows, so that clients with the old ETag read the late end.
const RECORD_REFUSED_ENDS: BatchStatement = {
  name: 'record_refused_ends',
  build: (rows) => sql`
    with given as materialized (select * from ${rows}),
    ending as materialized (
      select given.*, tasks.attempt = given.attempt and tasks.status = 'CANCELLED' as is_cancelled
      from given join tasks on ${IS_GIVEN}
      order by given.id for no key update of tasks
    ), accepted as materialized (
      select ending.* from ending join tasks on ${isKey('tasks.id', 'ending.id')} where ${IS_ACCEPTED}
    ), late as materialized (
      select * from ending where refused is not null
        and not exists (select 1 from accepted where accepted.id = ending.id
          and accepted.attempt = ending.attempt and accepted.worker_id = ending.worker_id)
    ), changed as (
      update tasks set version = version + 1 from late where ${isKey('tasks.id', 'late.id')}
    ), updated as (
      update attempts set refused = ending.refused::json from late as ending
      where ${IS_ROW_OF_END} and attempts.refused is null
    ), inserted as (
      insert into attempts (task_id, attempt, error, worker_id, started_at, refused)
      select id, attempt,
             '{"name":"Refused","message":"refused: another attempt had begun","retryable":true}'::json,
             worker_id, started_at, refused::json
      from late as ending where not exists (select 1 from attempts where ${IS_ROW_OF_END})
    )
    select id, attempt, worker_id as "workerId", case when is_cancelled then 'CANCELLED' else status end as status
    from accepted`,
}
