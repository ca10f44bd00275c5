// Reads how far the limits of groups are used, and records what a claim has granted.
import { sql } from '../drizzle.ts'
import type { Transaction } from '../lanes.ts'
import { recordset, texts } from '../statements.ts'
import type { Grants, Usage, WaitingGroup } from './grants.ts'

/** Reads the groups, their limits, and how far these are used. The groups are in the order of the ids. */
export async function readUsage(
  transaction: Transaction,
  { queue, names, ids, slots }: { queue: string; names: string[]; ids: number[]; slots: number },
): Promise<{ groups: WaitingGroup[]; usage: Usage; isPaused: boolean }> {
  type Row = { groups: WaitingGroup[]; usage: Usage; isPaused: boolean }
  const [row] = await transaction.query<Row>(
    sql`
      with clock as materialized (select extract(epoch from clock_timestamp())::float8 * 1000 as now_ms),
      locked as materialized (
        select place, task_groups.* from json_array_elements_text(${JSON.stringify(ids)}::json) with ordinality as given(value, place)
        join task_groups on task_groups.id = given.value::bigint
      ), named as materialized (select value as name from ${texts(names)}),
      limited as materialized (
        select scope, name, concurrency, rate_limit, rate_per_ms from limits
        where scope = 'queue' and name = ${queue} or scope = 'definition' and name in (select name from named)
      )
      select
        exists (select 1 from paused_queues where name = ${queue}) as "isPaused",
        (select coalesce(json_agg(json_build_object(
           'id', id, 'name', name, 'priority', priority, 'concurrencyKey', concurrency_key, 'rateKey', rate_key,
           'due', (select count(*) from (
             select 1 from held_tasks where group_id = locked.id and started_at is null and due_at <= statement_timestamp()
               and (expires_at is null or expires_at > statement_timestamp())
             limit ${slots}::int + 1) as waiting),
           'nextDueMs', (select extract(epoch from due_at)::float8 * 1000 from held_tasks
             where group_id = locked.id and started_at is null and due_at > statement_timestamp()
             order by due_at limit 1)
         ) order by place), '[]') from locked) as groups,
        json_build_object(
          'nowMs', (select now_ms from clock),
          'limits', (select coalesce(json_agg(json_build_object(
             'scope', scope, 'name', name, 'concurrency', concurrency, 'rateLimit', rate_limit, 'ratePerMs', rate_per_ms)), '[]')
             from limited),
          'running', (select coalesce(json_agg(counted), '[]') from (
             select held_tasks.name, concurrency_key as key, count(*) as count from limited join held_tasks on held_tasks.name = limited.name
             where limited.scope = 'definition' and started_at is not null
             group by held_tasks.name, concurrency_key) as counted),
          'runningInQueue', case when exists (select 1 from limited where scope = 'queue')
             then (select count(*) from held_tasks where queue = ${queue} and started_at is not null) else 0 end,
          'starts', (select coalesce(json_agg(counted), '[]') from (
             select scope, name, key, sum(count)::int as count, min(at_ms) as "oldestMs"
             from (
               select 'definition' as scope, name, rate_key as key from locked union select 'queue', ${queue}, ''
             ) as keys join limited using (scope, name) join rate_usage using (scope, name, key)
             where rate_limit is not null and at_ms > (select now_ms from clock) - rate_per_ms
             group by scope, name, key) as counted)
        ) as usage`,
    { name: 'read_usage' },
  )
  return row as Row
}

export async function writeTurns(transaction: Transaction, { groups }: Grants): Promise<void> {
  const changed = groups.filter(({ turn }) => turn !== null)
  if (changed.length === 0) return
  const records = changed.map(({ id, turn }) => ({
    id,
    at_ms: typeof turn === 'number' ? turn : null,
    is_last: turn === 'last',
  }))
  await transaction.query(
    sql`
      update task_groups set turn_at = case when given.is_last then clock_timestamp()
        else coalesce(to_timestamp(given.at_ms / 1000), 'infinity') end
      from ${recordset(records)} as given(id bigint, at_ms float8, is_last boolean)
      where task_groups.id = given.id`,
    { name: 'write_turns' },
  )
}

// A span is divided into so many parts, to which the times of starts are rounded up.
const PARTS_OF_SPAN = 1_000

export async function writeStarts(
  transaction: Transaction,
  { starts }: Grants,
  nowMs: number,
): Promise<void> {
  if (starts.length === 0) return
  const records = starts.map(({ scope, name, key, count, perMs }) => {
    const partMs = Math.max(1, Math.floor(perMs / PARTS_OF_SPAN))
    return { scope, name, key, count, at_ms: Math.ceil(nowMs / partMs) * partMs, old_ms: nowMs - perMs }
  })
  await transaction.query(
    sql`
      with given as materialized (
        select * from ${recordset(records)} as given(scope text, name text, key text, count int, at_ms bigint, old_ms float8)
      ), removed as (
        delete from rate_usage using given
        where rate_usage.scope = given.scope and rate_usage.name = given.name and rate_usage.key = given.key
          and rate_usage.at_ms <= given.old_ms
      )
      insert into rate_usage (scope, name, key, at_ms, count) select scope, name, key, at_ms, count from given
      on conflict (scope, name, key, at_ms) do update set count = rate_usage.count + excluded.count`,
    { name: 'write_starts' },
  )
}
