// Reads and writes limits, and claims and ends held tasks.

import type { SQL } from 'drizzle-orm'
import type { QueuePart } from '../../definitions/delivery-queue.ts'
import type { Limits } from '../../definitions/limits.ts'
import { CLAIMED_COLUMNS, type ClaimedTask } from '../claim.ts'
import { type BatchStatement, IS_GIVEN, isKey, uuids } from '../columns.ts'
import type { Database } from '../database.ts'
import { sql } from '../drizzle.ts'
import { recordset, texts } from '../statements.ts'
import { claimHeld, type HeldClaimOptions } from './claim-held.ts'
import { holdTasks, type MarkedTask } from './hold-tasks.ts'
import { type DuePart, readHeld } from './read-held.ts'

export interface ExpiredTask {
  id: string
  name: string
}

export type LimitStore = ReturnType<typeof createLimitStore>

// Maximum number of expired tasks that one statement ends, which takes less than 50 ms.
const EXPIRE_BATCH = 500

// Maximum number of groups that one statement deletes.
const CLEAN_BATCH = 1_000

export function createLimitStore(database: Database) {
  return {
    read: (parts: Required<QueuePart>[]) => readHeld(database, parts),
    claim: (part: Omit<DuePart, 'priority'>, options: HeldClaimOptions) => claimHeld(database, part, options),
    hold: (tasks: MarkedTask[]) => holdTasks(database, tasks),

    /** Returns the inputs of tasks. */
    async inputsOf(ids: string[]): Promise<Map<string, unknown>> {
      if (ids.length === 0) return new Map()
      const rows = await database.run<{ id: string; input: unknown }>(INPUTS, { id: uuids(ids) })
      return new Map(rows.map(({ id, input }) => [id, input]))
    },

    /**
     * Returns the tasks that a worker has claimed and does not run, because the response to the claim was lost.
     * @param exceptIds the tasks that it runs
     */
    async claimedBy(workerId: string, exceptIds: string[]): Promise<ClaimedTask[]> {
      const tasks = await database.query<ClaimedTask>(sql`
        select ${CLAIMED_COLUMNS} from held_tasks join tasks on ${isKey('tasks.id', 'held_tasks.task_id')}
        where held_tasks.started_at is not null and held_tasks.worker_id = ${workerId}::uuid
          and tasks.status = 'STARTED' and tasks.worker_id = ${workerId}::uuid
          and tasks.id not in (select value::uuid from ${texts(exceptIds)})`)
      return tasks.map((task) => ({ ...task, isHeld: true }))
    },

    /**
     * Stores the limits of definitions. They apply from now on, also to tasks that wait.
     * @param given the limits of each definition of this process; null for a definition without limits. `hasKeys`
     *   says whether it has a `key` function
     */
    async writeDefinitions(
      given: { name: string; limits: Limits | null; hasKeys: boolean }[],
    ): Promise<void> {
      const records = given.flatMap(({ name, limits, hasKeys }) =>
        limits ? [{ name, ...recordOf(limits), has_keys: hasKeys }] : [],
      )
      const unlimited = given.filter(({ limits }) => limits === null).map(({ name }) => name)
      await database.query(sql`
        with removed as (
          delete from limits where scope = 'definition' and name in (select value from ${texts(unlimited)})
          returning name
        ), written as (
          insert into limits (scope, name, concurrency, rate_limit, rate_per_ms, has_keys)
          select 'definition', name, concurrency, rate_limit, rate_per_ms, has_keys
          from ${recordset(records)} as given(name text, concurrency int, rate_limit int, rate_per_ms bigint, has_keys boolean)
          order by name
          on conflict (scope, name) do update set concurrency = excluded.concurrency, rate_limit = excluded.rate_limit,
            rate_per_ms = excluded.rate_per_ms, has_keys = excluded.has_keys, updated_at = now()
          where (limits.concurrency, limits.rate_limit, limits.rate_per_ms, limits.has_keys)
            is distinct from (excluded.concurrency, excluded.rate_limit, excluded.rate_per_ms, excluded.has_keys)
          returning name
        )
        , locked as materialized (
          -- A higher limit may allow tasks that wait for a slot or a start of their key. Groups that have a turn are
          -- locked too: a claim that has read the old limit may take it from them.
          select id, turn_at from task_groups
          where name in (select name from removed union all select name from written)
            and exists (select 1 from held_tasks where group_id = task_groups.id and started_at is null)
          order by queue, is_isolated, priority, name, concurrency_key, rate_key for update
        )
        update task_groups set turn_at = now() from locked where task_groups.id = locked.id and locked.turn_at > now()`)
    },

    /**
     * Deletes groups without tasks and starts that no limit counts any more. Repairs what no known failure causes,
     * but what would stop tasks for ever: a slot that no attempt uses, and a group without a turn.
     */
    async clean(): Promise<void> {
      const results = await Promise.allSettled([
        deleteIdleGroups(),
        repairGroups(),
        ...DELETES.map(deleteAll),
      ])
      for (const result of results) if (result.status === 'rejected') throw result.reason
    },

    /**
     * Ends tasks that have expired before they started as CANCELLED.
     * @returns the tasks, and whether more may have expired
     */
    async expire(): Promise<{ tasks: ExpiredTask[]; isMore: boolean }> {
      const tasks = await database.query<ExpiredTask & { isMore: boolean }>(EXPIRE, { name: 'expire_tasks' })
      return { tasks, isMore: tasks.length === EXPIRE_BATCH }
    },
  }

  async function deleteIdleGroups(): Promise<void> {
    for (let count = CLEAN_BATCH; count === CLEAN_BATCH; ) {
      count = await database.maintenance.transaction(async (transaction) => {
        // While the groups are locked, no submission can add a task to them.
        const idle = await transaction.query<{ id: string }>(sql`
          select id::text as id from task_groups where turn_at = 'infinity'
            and not exists (select 1 from held_tasks where group_id = task_groups.id)
          limit ${CLEAN_BATCH} for update skip locked`)
        const deleted = await transaction.query(sql`
          delete from task_groups where id = any(array(select value::bigint from ${texts(idle.map(({ id }) => id))}))
            and not exists (select 1 from held_tasks where group_id = task_groups.id)
          returning id`)
        return deleted.length
      })
    }
  }

  async function deleteAll(statement: SQL): Promise<void> {
    await database.maintenance.query(statement)
  }

  /** Gives groups a turn that wait for a slot of their key although their limit is not used up. */
  async function repairGroups(): Promise<void> {
    await database.maintenance.query(sql`
      with locked as materialized (
        select id from task_groups
        where turn_at = 'infinity'
          and exists (select 1 from held_tasks where group_id = task_groups.id and started_at is null)
          and (
            select count(*) from held_tasks where held_tasks.name = task_groups.name
              and held_tasks.concurrency_key = task_groups.concurrency_key and started_at is not null
          ) < coalesce((select concurrency from limits where scope = 'definition' and limits.name = task_groups.name), 1000000)
        order by queue, is_isolated, priority, name, concurrency_key, rate_key for update
      )
      update task_groups set turn_at = now() from locked where task_groups.id = locked.id`)
  }
}

/**
 * Statements that delete what no task and no limit needs. They skip locked rows, because claims and ends lock several
 * of these rows in other orders.
 */
const DELETES = [
  sql`
    delete from rate_usage where ctid = any(array(
      select rate_usage.ctid from rate_usage where not exists (
        select 1 from limits where limits.scope = rate_usage.scope and limits.name = rate_usage.name
          and rate_usage.at_ms > extract(epoch from now()) * 1000 - rate_per_ms)
      for update skip locked))`,
  // Rows of tasks that are not STARTED any more, or wait as plain tasks: they would be counted as running.
  sql`
    delete from held_tasks where task_id = any(array(
      select task_id from held_tasks join tasks on ${isKey('tasks.id', 'held_tasks.task_id')}
      where held_tasks.started_at < now() - interval '1 minute' and tasks.status <> 'STARTED'
      for update of held_tasks skip locked))`,
]

function recordOf({ concurrency, rate }: Limits) {
  return { concurrency, rate_limit: rate?.limit ?? null, rate_per_ms: rate?.perMs ?? null }
}

const EXPIRE = sql`
  with expired as materialized (
    select task_id as id from held_tasks
    where expires_at is not null and started_at is null and expires_at <= now()
    order by expires_at limit ${sql.raw(String(EXPIRE_BATCH))}
  ), sorted as materialized (
    select id from expired order by id
  ), ended as (
    update tasks set status = 'CANCELLED', enqueued_at = null, finished_at = now(), version = version + 1,
      cancel_requested_at = coalesce(cancel_requested_at, now()),
      error = json_build_object('name', 'Expired', 'retryable', true, 'message',
        'Expired: the task had not started by ' || to_char(expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
    from sorted where ${isKey('tasks.id', 'sorted.id')} and status in ('PENDING', 'RETRY')
    returning tasks.id, tasks.name
  ), removed as (
    -- Also rows whose task has ended in another way.
    delete from held_tasks using sorted
    where ${isKey('held_tasks.task_id', 'sorted.id')} and started_at is null and (
      sorted.id in (select id from ended)
      or not exists (select 1 from tasks where ${isKey('tasks.id', 'sorted.id')} and status in ('PENDING', 'RETRY', 'STARTED')))
  )
  select id, name from ended`

const INPUTS: BatchStatement = {
  name: 'inputs_of_tasks',
  build: (rows) => sql`select tasks.id, tasks.input from ${rows} join tasks on ${IS_GIVEN}`,
}
