// Writes how attempts ended: STARTED becomes a final status, or RETRY or PENDING if another attempt follows.
import type { SQL } from 'drizzle-orm'
import type { Decision, TaskStatus } from '../definitions/task-status.ts'
import {
  type BatchStatement,
  doubles,
  IS_GIVEN,
  inLockOrder,
  integers,
  isKey,
  texts,
  uuids,
} from './columns.ts'
import type { Database } from './database.ts'
import { sql } from './drizzle.ts'

export interface Finish {
  id: string
  attempt: number
  /**
   * The worker that claimed the attempt. The number of the attempt alone does not identify it: a crash of
   * Postgres can undo a claim, and another worker can then claim an attempt with the same number.
   */
  workerId: string | null
  decision: Decision
  /** True if the task is held, or may be. */
  isHeld?: true
}

/**
 * Writes the ends of attempts in one statement; their errors also go into `attempts`. An end is refused
 * unless its task is STARTED with the same attempt and worker, so at most one end of an attempt is accepted.
 * @returns the new status of the task for each end; null if the end was refused
 */
export async function finishTasks(database: Database, finishes: Finish[]): Promise<(TaskStatus | null)[]> {
  // The other statements write more tables and are slower, so most batches use `FINISH`.
  const hasErrors = finishes.some(({ decision }) => decision.error !== undefined)
  const hasHeld = finishes.some(({ isHeld }) => isHeld)
  const statement = hasHeld ? FINISH_WITH_HELD : hasErrors ? FINISH_WITH_ERRORS : FINISH
  const rows = await database.run<{ id: string; status: TaskStatus; attempt: number }>(
    statement,
    columnsOf(inLockOrder(finishes)),
  )
  // A batch may contain ends of several attempts of one task, and at most one of them was written. The
  // attempt in the returned row tells which one.
  const written = new Map(rows.map((row) => [row.id, row]))
  return finishes.map(({ id, attempt }) => {
    const row = written.get(id)
    return row?.attempt === attempt ? row.status : null
  })
}

function columnsOf(finishes: Finish[]) {
  const each = <Value>(value: (decision: Decision) => Value) =>
    finishes.map(({ decision }) => value(decision))
  return {
    id: uuids(finishes.map(({ id }) => id)),
    attempt: integers(finishes.map(({ attempt }) => attempt)),
    worker_id: uuids(finishes.map(({ workerId }) => workerId)),
    status: texts(each(({ status }) => status)),
    result: texts(each(({ resultText }) => resultText)),
    error: texts(each(({ error }) => error && JSON.stringify(error))),
    failures: integers(each(({ failures }) => failures)),
    delay_ms: doubles(each(({ delayMs }) => delayMs)),
  }
}

// SQL condition: the worker decided that another attempt follows. Only then is `delay_ms` (the delay before
// the next attempt, 0 or more) not null.
const HAS_NEXT_ATTEMPT = sql`given.delay_ms is not null`
// SQL condition: another attempt would follow, but a client has requested cancellation. The worker did not
// know of the request when it decided, for example because its last heartbeat was before the request. The
// task ends as CANCELLED instead.
const IS_CANCELLED = sql`(${HAS_NEXT_ATTEMPT} and tasks.cancel_requested_at is not null)`

const NOT_ENQUEUED = sql`null`

const finishFrom = (rows: SQL, moreColumns = sql``, enqueuedAt = NOT_ENQUEUED) => sql`
  update tasks set
    status = case when ${IS_CANCELLED} then 'CANCELLED' else given.status end,
    result = given.result::json, error = given.error::json, failures = given.failures,
    progress_fraction = case when given.status = 'SUCCESS' then 1 else progress_fraction end,
    progress_message = case when given.status = 'SUCCESS' then null else progress_message end,
    run_at = case when ${HAS_NEXT_ATTEMPT} then now() + given.delay_ms * interval '1 ms' else run_at end,
    enqueued_at = ${enqueuedAt},
    finished_at = case when ${HAS_NEXT_ATTEMPT} and not ${IS_CANCELLED} then null else now() end,
    -- A manual retry clears the cancel request, but a late cancel signal can still stop the new attempt. Then
    -- the end of the attempt counts as the time of the request: every CANCELLED task must have such a time.
    cancel_requested_at = case when given.status = 'CANCELLED' then coalesce(cancel_requested_at, now())
                               else cancel_requested_at end,
    version = version + 1
  from ${rows}
  where ${IS_GIVEN}
    and tasks.attempt = given.attempt and tasks.worker_id is not distinct from given.worker_id
    and tasks.status = 'STARTED'
  returning tasks.id, tasks.status, tasks.attempt${moreColumns}`

const FINISH: BatchStatement = { name: 'finish_tasks', build: (rows) => finishFrom(rows) }

const ERROR_COLUMNS = sql`, tasks.worker_id, tasks.started_at`
const RECORDED = sql`
  insert into attempts (task_id, attempt, error, worker_id, started_at)
  select finished.id, finished.attempt, given.error::json, finished.worker_id, finished.started_at
  from finished join given on given.id = finished.id and given.attempt = finished.attempt
  where given.error is not null`

const FINISH_WITH_ERRORS: BatchStatement = {
  name: 'finish_tasks_with_errors',
  build: (rows) => sql`
    with given as materialized (select * from ${rows}),
    finished as (${finishFrom(sql`given`, ERROR_COLUMNS)}),
    recorded as (${RECORDED})
    select id, status, attempt from finished`,
}

// SQL of `enqueued_at` of a held task that another attempt follows: it waits in its group again. One that became
// isolated meanwhile is in the wrong group: it is held again by the dispatcher.
const HELD_ENQUEUED_AT = sql`case when ${HAS_NEXT_ATTEMPT} and not ${IS_CANCELLED} and exists (
  select 1 from held_tasks join task_groups on task_groups.id = group_id
  where task_id = tasks.id and task_groups.is_isolated = tasks.is_isolated
) then 'infinity'::timestamptz end`

// Maximum number of groups of one key that an end gives a turn. There are many if the rate limit has finer keys. The
// next ends give the others a turn.
const MAX_WOKEN = 100

// Groups of the keys, each with its version in the snapshot of the statement.
const groupsOfKey = (condition: SQL) => sql`(
  select id, ctid as version, turn_at from task_groups
  where task_groups.name = keys.name and task_groups.concurrency_key = keys.concurrency_key and ${condition}
  limit ${sql.raw(String(MAX_WOKEN))})`

/**
 * Also frees what held tasks use of their limits, and gives the groups a turn that may wait for it: those with the
 * same concurrency key. Groups without such a key have a turn anyway.
 *
 * It locks groups before tasks, like claims. It also locks groups that have a turn or no waiting task: a claim that
 * has read the use of the limit before this end can find that the key has no slot, and end the turn of the group.
 */
const FINISH_WITH_HELD: BatchStatement = {
  name: 'finish_held_tasks',
  build: (rows) => sql`
    with given as materialized (select * from ${rows}),
    ending as materialized (
      select group_id, held_tasks.name, concurrency_key, ${HAS_NEXT_ATTEMPT} as has_next
      from given join held_tasks on ${isKey('held_tasks.task_id', 'given.id')}
    ), wanted as materialized (
      select task_groups.id, task_groups.ctid as version, has_next as is_woken
      from ending join task_groups on ${isKey('task_groups.id', 'ending.group_id')}
      where has_next or ending.concurrency_key <> ''
      union all
      select others.id, version, turn_at = 'infinity'
      from (select distinct name, concurrency_key from ending where concurrency_key <> '') as keys, lateral (
        ${groupsOfKey(sql`turn_at = 'infinity' and exists (
          select 1 from held_tasks where group_id = task_groups.id and started_at is null)`)}
        union all
        ${groupsOfKey(sql`turn_at <= now()`)}
      ) as others
    ), locked as materialized (
      select task_groups.id, task_groups.ctid as version, turn_at from task_groups
      where task_groups.id = any(array(select id from wanted))
      order by queue, is_isolated, priority, name, concurrency_key, rate_key for update
    ), waking as materialized (
      -- A group without a turn that has another version has lost its turn to a claim meanwhile.
      select distinct locked.id from locked join wanted on wanted.id = locked.id
      where is_woken or locked.turn_at = 'infinity' and wanted.version <> locked.version
    ),
    finished as (${finishFrom(
      // The count makes the statement lock the groups first.
      sql`given, (select count(*) from locked) as first`,
      sql`${ERROR_COLUMNS}, tasks.run_at, tasks.enqueued_at`,
      HELD_ENQUEUED_AT,
    )}),
    recorded as (${RECORDED}),
    waiting as (
      update held_tasks set started_at = null, worker_id = null, due_at = finished.run_at from finished
      where ${isKey('held_tasks.task_id', 'finished.id')} and finished.enqueued_at is not null
    ), removed as (
      delete from held_tasks using finished
      where ${isKey('held_tasks.task_id', 'finished.id')} and finished.enqueued_at is null
    ), woken as (
      update task_groups set turn_at = least(turn_at, now()) from waking where task_groups.id = waking.id
    )
    select id, status, attempt from finished`,
}
