// Inserts the unique tasks of schedules: those of ticks, and those that are made on request.
import { isKey } from '../columns.ts'
import { sql } from '../drizzle.ts'
import type { Transaction } from '../lanes.ts'
import type { UniqueResult, UniqueTask } from '../new-tasks.ts'
import { recordset } from '../statements.ts'
import { insertUnique } from './insert-unique.ts'

/** A unique task of a schedule, whose run the transaction has recorded with the id of this task. */
export interface ScheduledTask {
  schedule: string
  task: UniqueTask
}

/**
 * Inserts unique tasks or changes those that they meet, see `insertUnique`. A run whose task has met another
 * one gets the id of that one. The dispatcher enqueues the tasks; the caller must hold those in `toHold`.
 */
export async function insertScheduled(
  transaction: Transaction,
  runs: readonly ScheduledTask[],
): Promise<UniqueResult[]> {
  const results = await insertUnique(
    transaction,
    runs.map(({ task }) => task),
    () => true,
  )
  const met = runs.flatMap(({ schedule, task }, index) => {
    const { existing = null } = results[index] ?? {}
    return existing ? [{ schedule, own_id: task.id, met_id: existing.id }] : []
  })
  if (met.length > 0) await recordMet(transaction, met)
  return results
}

/**
 * Records existing tasks as the tasks of the runs that have met them. `overlap` of later ticks looks at these
 * tasks. Each such tick counts as skipped.
 */
async function recordMet(
  transaction: Transaction,
  met: { schedule: string; own_id: string; met_id: string }[],
): Promise<void> {
  await transaction.query(
    sql`
      with given as materialized (
        select * from ${recordset(met)} as given(schedule text, own_id uuid, met_id uuid)
      ), changed as (
        update schedule_runs set task_id = given.met_id, is_existing = true from given
        where ${isKey('schedule_runs.schedule', 'given.schedule')} and schedule_runs.task_id = given.own_id
        returning given.*, is_manual
      ), counted as (
        select schedule, count(*) filter (where not is_manual) as ticks from changed group by schedule
      )
      update schedules set skipped = skipped + counted.ticks, last_task_ids = array(
        select coalesce(changed.met_id, last.id)
        from unnest(last_task_ids) with ordinality as last(id, position) left join changed on changed.own_id = last.id
        group by 1 order by min(position))
      from counted where ${isKey('schedules.name', 'counted.schedule')}`,
    { name: 'record_met_tasks' },
  )
}
