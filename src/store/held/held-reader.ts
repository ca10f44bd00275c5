// Reads what held tasks wait for, and the keys of limits with their counts.
import { PRIORITIES, type Priority } from '../../definitions/limits.ts'
import type { Database } from '../database.ts'
import { sql } from '../drizzle.ts'

/** What a waiting held task waits for. */
export interface Wait {
  /**
   * `due`: its time has not come. `paused`: its queue is paused. `concurrency`, `rate`: a limit of its definition or
   * queue is used up. `turn`: other tasks have their turn first, or no worker has a slot.
   */
  reason: 'due' | 'paused' | 'concurrency' | 'rate' | 'turn'
  /** Whether the limit is that of the definition or of the queue; null for other reasons. */
  scope: 'definition' | 'queue' | null
  /** Key of the limit; null if the limit has no keys, and for other reasons. */
  key: string | null
  /** Number of due tasks with the same definition, priority and keys that start before it, at most `MAX_AHEAD`. */
  ahead: number
}

/** A group of held tasks of one definition and queue with the same keys. */
export interface KeyCount {
  name: string
  queue: string
  priority: Priority
  concurrencyKey: string | null
  rateKey: string | null
  waiting: number
  running: number
}

export type HeldReader = ReturnType<typeof createHeldReader>

// Up to this number, tasks ahead are counted.
export const MAX_AHEAD = 10_000

export function createHeldReader(database: Database) {
  return {
    /** Returns what a task waits for; null if it is not a held task that waits. */
    async waitOf(taskId: string): Promise<Wait | null> {
      const [row] = await database.reads.query<
        Omit<Wait, 'key'> & { concurrencyKey: string; rateKey: string }
      >(
        sql`
          with held as materialized (
            select held_tasks.*, rate_key, is_isolated, priority from held_tasks join task_groups on task_groups.id = group_id
            where task_id = ${taskId}::uuid and started_at is null
          ), limited as materialized (
            select limits.* from held join limits on limits.scope = 'definition' and limits.name = held.name
              or limits.scope = 'queue' and limits.name = held.queue
          ), used as materialized (
            select scope, 'concurrency' as kind from held, limited where concurrency <= (
              select count(*) from held_tasks as running where running.started_at is not null and (
                limited.scope = 'queue' and running.queue = held.queue
                or limited.scope = 'definition' and running.name = held.name and running.concurrency_key = held.concurrency_key))
            union all
            select scope, 'rate' from held, limited where rate_limit <= (
              select coalesce(sum(count), 0) from rate_usage
              where rate_usage.scope = limited.scope and rate_usage.name = limited.name
                and key = case when limited.scope = 'definition' then held.rate_key else '' end
                and at_ms > extract(epoch from now()) * 1000 - rate_per_ms)
          )
          select
            case when exists (select 1 from paused_queues where name = held.queue) then 'paused'
                 when due_at > now() then 'due'
                 else coalesce((select kind from used order by kind, scope limit 1), 'turn') end as reason,
            (select scope from used order by kind, scope limit 1) as scope,
            concurrency_key as "concurrencyKey", rate_key as "rateKey",
            (select count(*)::int from (
               select 1 from held_tasks as other
               where other.group_id = held.group_id and other.started_at is null
                 and (other.due_at, other.task_id) < (held.due_at, held.task_id)
               limit ${MAX_AHEAD}) as ahead) as ahead
          from held`,
        { name: 'wait_of_task' },
      )
      if (!row) return null
      const { reason, ahead, concurrencyKey, rateKey } = row
      const isLimit = reason === 'concurrency' || reason === 'rate'
      const scope = isLimit ? row.scope : null
      const key = scope === 'definition' ? (reason === 'rate' ? rateKey : concurrencyKey) : ''
      return { reason, scope, key: key === '' ? null : key, ahead }
    },

    /** Lists the groups with held tasks, those with most waiting tasks first. */
    async keys(
      filter: { queue?: string; name?: string; search?: string },
      limit: number,
    ): Promise<KeyCount[]> {
      const { queue = null, name = null, search = null } = filter
      // `strpos` and not `like`: a key may contain % and _.
      const rows = await database.searches.query<Omit<KeyCount, 'priority'> & { priority: number }>(sql`
        select name, task_groups.queue, priority, nullif(concurrency_key, '') as "concurrencyKey",
               nullif(rate_key, '') as "rateKey", counted.waiting, counted.running
        from (
          select group_id, count(*) filter (where started_at is null)::int as waiting,
                 count(*) filter (where started_at is not null)::int as running
          from held_tasks
          where (${queue}::text is null or held_tasks.queue = ${queue}) and (${name}::text is null or held_tasks.name = ${name})
          group by group_id
        ) as counted join task_groups on task_groups.id = counted.group_id
        where ${search}::text is null or strpos(lower(concurrency_key), lower(${search})) > 0
          or strpos(lower(rate_key), lower(${search})) > 0
        order by waiting desc, running desc, name, concurrency_key, rate_key limit ${limit}`)
      return rows.map((row) => ({ ...row, priority: PRIORITIES[row.priority] ?? 'normal' }))
    },
  }
}
