// Finds due schedules and makes the tasks of their ticks. One statement inserts the tasks, moves the
// schedules on and records the runs, so that a tick makes its task once, whatever process ends at whatever
// moment.
import type { SQL } from 'drizzle-orm'
import type { CompleteSchedule } from '../definitions/schedule.ts'
import { isKey } from './columns.ts'
import type { Database } from './database.ts'
import { sql } from './drizzle.ts'
import { inputTextOf, type NewTask, storedPriority } from './new-tasks.ts'
import { recordset, texts } from './statements.ts'

/**
 * A schedule with a tick that is due, or with one that waited for the end of a task. Times are in ms since
 * 1970.
 */
export interface DueSchedule extends CompleteSchedule {
  version: number
  nextMs: number
  waitingMs: number | null
  /** Whether a task that it has made before has not ended. */
  isBlocked: boolean
}

/** What `findDue` has found. */
export interface DueSchedules {
  /** The time of Postgres, in ms since 1970. */
  nowMs: number
  /** Milliseconds until the next tick after `nowMs`, of any definition; null if there is none. */
  nextInMs: number | null
  due: DueSchedule[]
}

/** A task of a tick. */
export interface TickTask extends NewTask {
  tickMs: number
  runAt: Date
}

/** The ticks of a schedule that were dealt with together. */
export interface Move {
  name: string
  /** `version` of the schedule when it was read. If it has changed since, nothing is made. */
  version: number
  nextMs: number
  waitingMs: number | null
  skipped: number
  tasks: TickTask[]
}

/** A version of a schedule that this process cannot make tasks for. */
export interface Refused {
  name: string
  version: number
}

export type DueScheduleStore = ReturnType<typeof createDueScheduleStore>

// Of how many due schedules a query chooses, as a multiple of its limit.
const OLDEST = 8
// Runs that are kept per schedule.
const KEPT_RUNS = 100

export function createDueScheduleStore(database: Database) {
  return {
    /**
     * Returns up to `limit` due schedules of these definitions, and up to as many whose waiting tick can make
     * its task now. Skips the refused ones.
     * @param options.seed chooses among many due schedules: workers with different seeds find others, and so
     *    seldom try to make the same tasks
     */
    async findDue(
      definitions: string[],
      { refused = [], limit, seed = 0 }: { refused?: Refused[]; limit: number; seed?: number },
    ): Promise<DueSchedules> {
      const versions = refused.map(({ name, version }) => `${name} ${version}`)
      const isOwn = sql`paused_at is null and definition = any(array(select value from ${texts(definitions)}))
        and name || ' ' || version <> all(array(select value from ${texts(versions)}))`
      const statement = sql`
        with found as materialized (
          (select name from (
            select name from schedules where ${isOwn} and next_at <= now() order by next_at limit ${limit * OLDEST}::int
          ) as oldest order by hashtextextended(name, ${seed}::bigint) limit ${limit}::int)
          union
          (select name from schedules where ${isOwn} and waiting_at is not null and not ${IS_BLOCKED}
           order by waiting_at limit ${limit}::int)
        )
        select extract(epoch from now())::float8 * 1000 as "nowMs",
          (select extract(epoch from next_at - now())::float8 * 1000 from schedules
           where paused_at is null and next_at > now() order by next_at limit 1) as "nextInMs",
          due.*
        from (select 1) as always left join (
          select schedules.name, definition, input, cron, time_zone as "timeZone", every_seconds as "everySeconds", overlap,
            catch_up as "catchUp", jitter_seconds as "jitterSeconds", version, ${IS_BLOCKED} as "isBlocked",
            extract(epoch from next_at)::float8 * 1000 as "nextMs", extract(epoch from waiting_at)::float8 * 1000 as "waitingMs"
          from found join schedules on ${isKey('schedules.name', 'found.name')}
        ) as due on true`
      type Row = Omit<DueSchedules, 'due'> & (DueSchedule | { name: null })
      const rows = await database.query<Row>(statement, { name: 'find_due_schedules' })
      const [{ nowMs, nextInMs }] = rows as [Row]
      return { nowMs, nextInMs, due: rows.filter((row) => row.name !== null) }
    },

    /**
     * Makes the tasks of ticks and moves their schedules on. Leaves out schedules that are locked, paused or
     * have changed since they were read. The dispatcher enqueues the tasks.
     * @returns the names of the schedules that were moved on, and the ids of the tasks that were made
     */
    async makeTasks(moves: Move[]): Promise<{ moved: Set<string>; made: Set<string> }> {
      const statement = sql`
        with given as materialized (
          select * from ${recordset(moves.map(moveRecord))} as given(name text, version int, next_ms float8,
            waiting_ms float8, skipped int, last_tick_ms float8, last_task_id uuid)
        ), given_tasks as materialized (
          select * from ${recordset(moves.flatMap(taskRecords))} as given(${TASK_COLUMNS})
        ), locked as materialized (
          -- A join would allow a plan that reads all schedules. A pause changes the version too.
          select found.name from given, lateral (
            select schedules.name from schedules
            where schedules.name = given.name and schedules.version = given.version
            for update skip locked
          ) as found
        ), moved as (
          update schedules set version = schedules.version + 1, next_at = ${timeOf('next_ms')}, waiting_at = ${timeOf('waiting_ms')},
            skipped = schedules.skipped + given.skipped,
            last_tick_at = coalesce(${timeOf('last_tick_ms')}, last_tick_at),
            last_task_ids = case when last_task_id is null then last_task_ids else array[last_task_id] end
          from given join locked on locked.name = given.name
          where ${isKey('schedules.name', 'given.name')}
          returning schedules.name
        ), ran as (
          -- A clock of Postgres that is put back can repeat ticks.
          insert into schedule_runs (schedule, tick_at, task_id)
          select schedule, to_timestamp(tick_ms / 1000), id from given_tasks where (schedule in (select name from moved)) is true
          on conflict do nothing
          returning task_id
        ), pruned as (
          delete from schedule_runs using moved
          where schedule_runs.schedule = moved.name and tick_at < (
            select kept.tick_at from schedule_runs as kept where kept.schedule = moved.name
            order by kept.tick_at desc offset ${KEPT_RUNS}::int - 1 limit 1)
        ), inserted as (${insertTasks(sql`(select task_id from ran)`)})
        select (select coalesce(json_agg(name), '[]') from moved) as moved, (select coalesce(json_agg(id), '[]') from inserted) as made`
      const rows = await database.query<{ moved: string[]; made: string[] }>(statement, {
        name: 'make_scheduled_tasks',
      })
      const [{ moved, made }] = rows as [(typeof rows)[number]]
      return { moved: new Set(moved), made: new Set(made) }
    },
  }
}

/** SQL condition that a task which a schedule has made has not ended. A task that was removed has ended. */
export const IS_BLOCKED = sql`exists (
  select 1 from unnest(schedules.last_task_ids) as last(id)
  where (select finished_at is null from tasks where tasks.id = last.id))`

const TASK_COLUMNS = sql`schedule text, tick_ms float8, id uuid, name text, queue text, input text, max_retries int,
  timeout_ms int, is_isolated boolean, created_at timestamptz, run_at timestamptz, priority text`

/** Inserts those of `given_tasks` whose id is in this subquery. The dispatcher enqueues or holds them. */
function insertTasks(ids: SQL): SQL {
  return sql`
    insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, is_isolated, created_at, run_at, priority)
    select id, name, queue, 'PENDING', input::json, max_retries, timeout_ms, is_isolated, created_at, run_at, priority
    from given_tasks where (id in ${ids}) is true
    returning id`
}

const timeOf = (column: string) => sql.raw(`to_timestamp(given.${column} / 1000)`)

function moveRecord({ tasks, name, version, nextMs, waitingMs, skipped }: Move) {
  const last = tasks.at(-1)
  return {
    name,
    version,
    next_ms: nextMs,
    waiting_ms: waitingMs,
    skipped,
    last_tick_ms: last?.tickMs,
    last_task_id: last?.id,
  }
}

function taskRecords({ name: schedule, tasks }: Move) {
  return tasks.map((task) => ({
    schedule,
    tick_ms: task.tickMs,
    id: task.id,
    name: task.name,
    queue: task.queue,
    input: inputTextOf(task),
    max_retries: task.maxRetries,
    timeout_ms: task.timeoutMs,
    is_isolated: task.isIsolated ?? false,
    created_at: task.createdAt,
    run_at: task.runAt,
    priority: storedPriority(task),
  }))
}
