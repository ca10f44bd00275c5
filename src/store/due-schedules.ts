// Finds due schedules and makes the tasks of their ticks. One statement inserts the tasks, moves the
// schedules on and records the runs, so that a tick makes its task once, whatever process ends at whatever
// moment. For unique tasks, which ticks may meet, it is one transaction.
import type { SQL } from 'drizzle-orm'
import type { CompleteSchedule } from '../definitions/schedule.ts'
import { isKey } from './columns.ts'
import type { Database } from './database.ts'
import { sql } from './drizzle.ts'
import type { MarkedTask } from './held/hold-tasks.ts'
import { inputTextOf, type NewTask, storedPriority, type UniqueTask } from './new-tasks.ts'
import { recordset, texts } from './statements.ts'
import { insertScheduled } from './unique/insert-scheduled.ts'

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

/** What `makeTasks` has done. */
export interface MadeTasks {
  /** The names of the schedules that were moved on. */
  moved: Set<string>
  /** The tasks that were made, by their ids. */
  made: Map<string, NewTask>
  /** Unique tasks that were marked as enqueued, and that the caller must hold. */
  toHold: MarkedTask[]
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
     * have changed since they were read. The dispatcher enqueues the tasks. A unique task is not made if its
     * tick meets another one, which is recorded as the task of the tick. The tasks of all moves must be
     * unique, or none.
     */
    async makeTasks(moves: Move[]): Promise<MadeTasks> {
      const tasks = moves.flatMap((move) => move.tasks.map((task) => ({ schedule: move.name, task })))
      const unique = tasks.flatMap(({ schedule, task }) => (isUnique(task) ? [{ schedule, task }] : []))
      if (unique.length > 0)
        return database.transaction(async (transaction) => {
          const [row] = await transaction.query<MovedRow>(moveSchedules(moves, RECORDED), {
            name: 'move_schedules',
          })
          const { moved, ids } = row as MovedRow
          const recorded = unique.filter(({ task }) => ids.includes(task.id))
          const results = await insertScheduled(transaction, recorded)
          const made = results.flatMap(({ created }) => created ?? [])
          return {
            moved: new Set(moved),
            made: new Map(made.map((task) => [task.id, task])),
            toHold: results.flatMap(({ toHold }) => toHold),
          }
        })
      const [row] = await database.query<MovedRow>(moveSchedules(moves, INSERTED), {
        name: 'make_scheduled_tasks',
      })
      const { moved, ids } = row as MovedRow
      const made = tasks.filter(({ task }) => ids.includes(task.id))
      return {
        moved: new Set(moved),
        made: new Map(made.map(({ task }) => [task.id, task])),
        toHold: [],
      }
    },
  }
}

const isUnique = (task: TickTask): task is TickTask & UniqueTask => task.unique !== undefined

interface MovedRow {
  moved: string[]
  /** Ids of the tasks of the ticks that were recorded now. */
  ids: string[]
}

/** Moves schedules on and records the runs. @param tasks SQL that makes the tasks of the runs in `ran` */
function moveSchedules(moves: Move[], tasks: SQL): SQL {
  return sql`
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
    ), recorded as (${tasks})
    select (select coalesce(json_agg(name), '[]') from moved) as moved, (select coalesce(json_agg(id), '[]') from recorded) as ids`
}

/** SQL condition that a task which a schedule has made has not ended. A task that was removed has ended. */
export const IS_BLOCKED = sql`exists (
  select 1 from unnest(schedules.last_task_ids) as last(id)
  where (select finished_at is null from tasks where tasks.id = last.id))`

const TASK_COLUMNS = sql`schedule text, tick_ms float8, id uuid, name text, queue text, input text, max_retries int,
  timeout_ms int, is_isolated boolean, created_at timestamptz, run_at timestamptz, priority text`

/** Inserts the tasks of the runs that were recorded now. The dispatcher enqueues or holds them. */
const INSERTED = sql`
  insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, is_isolated, created_at, run_at, priority)
  select id, name, queue, 'PENDING', input::json, max_retries, timeout_ms, is_isolated, created_at, run_at, priority
  from given_tasks where (id in (select task_id from ran)) is true
  returning id`

/** Inserts no tasks: the caller does. */
const RECORDED = sql`select task_id as id from ran`

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
