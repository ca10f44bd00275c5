// Reads what held tasks need now: which groups have a turn, and when the next one has.
import type { QueuePart } from '../../definitions/delivery-queue.ts'
import type { Database } from '../database.ts'
import { sql } from '../drizzle.ts'
import { recordset } from '../statements.ts'

/** A part of a queue with groups whose turn has come. */
export interface DuePart extends Required<QueuePart> {
  /** Names of the definitions of these groups. */
  names: string[]
  /** The highest priority of these groups, as its index in `PRIORITIES`: 0 is the highest of all. */
  priority: number
}

/** What held tasks need now. */
export interface HeldState {
  due: DuePart[]
  /** Milliseconds until the next turn of a group; null if none is known. */
  msUntilTurn: number | null
  hasExpired: boolean
}

/** Reads which of these parts have groups whose turn has come. Paused queues are left out. */
export async function readHeld(database: Database, parts: Required<QueuePart>[]): Promise<HeldState> {
  const [row] = await database.query<{ state: HeldState }>(
    sql`
      with recursive part as (
        select queue, "isIsolated" from ${recordset(parts)} as given(queue text, "isIsolated" boolean)
        where not exists (select 1 from paused_queues where paused_queues.name = given.queue)
      ), names as (
        -- Finds the names of the groups of each part with one access to the index per name.
        select queue, "isIsolated", (
          select name from task_groups where task_groups.queue = part.queue and is_isolated = "isIsolated"
          order by name limit 1) as name
        from part
        union all
        select queue, "isIsolated", (
          select name from task_groups where task_groups.queue = names.queue and is_isolated = "isIsolated" and name > names.name
          order by name limit 1)
        from names where name is not null
      ), due as (
        select queue, "isIsolated", json_agg(name) as names, min(priority) as priority
        from names, lateral (
          select level as priority from generate_series(0, 2) as level where exists (
            select 1 from task_groups
            where task_groups.queue = names.queue and is_isolated = "isIsolated" and task_groups.name = names.name
              and task_groups.priority = level and turn_at <= now())
          order by level limit 1
        ) as first
        where name is not null
        group by queue, "isIsolated"
      )
      select json_build_object(
        'due', coalesce((select json_agg(due) from due), '[]'),
        'msUntilTurn', (
          select extract(epoch from min(turn_at) - now())::float8 * 1000 from part, lateral (
            select turn_at from task_groups
            where task_groups.queue = part.queue and is_isolated = "isIsolated" and turn_at > now() and turn_at < 'infinity'
            order by turn_at limit 1) as next),
        'hasExpired', exists (
          select 1 from held_tasks where expires_at is not null and started_at is null and expires_at <= now())
      ) as state`,
    { name: 'read_held' },
  )
  return row?.state ?? { due: [], msUntilTurn: null, hasExpired: false }
}
