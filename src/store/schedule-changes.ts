// The statement that creates or replaces schedules.
import type { SQL } from 'drizzle-orm'
import type { CompleteSchedule } from '../definitions/schedule.ts'
import { sql } from './drizzle.ts'
import type { ScheduleRow } from './schedule-tables.ts'
import { recordset } from './statements.ts'

/**
 * Creates schedules, or replaces those with the same name. A schedule keeps its pause. It keeps its next tick
 * unless its times have changed. With the source `code`, replaces every schedule that differs; with `api`,
 * only those with this source.
 * @param nextMs the next tick of each schedule, in ms since 1970
 * @returns SQL that returns `name` and `isNew` of the schedules that were written
 */
export function changeSchedules(
  schedules: CompleteSchedule[],
  nextMs: number[],
  source: ScheduleRow['source'],
): SQL {
  const records = schedules.map((schedule, index) => ({
    name: schedule.name,
    definition: schedule.definition,
    input: JSON.stringify(schedule.input) ?? 'null',
    cron: schedule.cron,
    time_zone: schedule.timeZone,
    every_seconds: schedule.everySeconds,
    overlap: schedule.overlap,
    catch_up: schedule.catchUp,
    jitter_seconds: schedule.jitterSeconds,
    next_ms: nextMs[index],
  }))
  const isReplaced = source === 'code' ? DIFFERS : sql`stored.source = 'api'`
  return sql`
    insert into schedules as stored (name, definition, input, cron, time_zone, every_seconds, overlap, catch_up,
                                     jitter_seconds, source, next_at)
    select name, definition, input::json, cron, time_zone, every_seconds, overlap, catch_up, jitter_seconds,
           ${source}::text, to_timestamp(next_ms / 1000)
    from ${recordset(records)} as given(name text, definition text, input text, cron text, time_zone text, every_seconds int,
      overlap text, catch_up text, jitter_seconds int, next_ms float8)
    on conflict (name) do update set definition = excluded.definition, input = excluded.input, cron = excluded.cron,
      time_zone = excluded.time_zone, every_seconds = excluded.every_seconds, overlap = excluded.overlap,
      catch_up = excluded.catch_up, jitter_seconds = excluded.jitter_seconds, source = excluded.source,
      version = stored.version + 1, updated_at = now(),
      next_at = case when ${HAS_OTHER_TIMES} then excluded.next_at else stored.next_at end
    where ${isReplaced}
    returning name, (xmax = 0) as "isNew"`
}

const HAS_OTHER_TIMES = sql`(stored.cron, stored.time_zone, stored.every_seconds)
  is distinct from (excluded.cron, excluded.time_zone, excluded.every_seconds)`

const DIFFERS = sql`(stored.definition, stored.input::text, stored.cron, stored.time_zone, stored.every_seconds, stored.overlap,
    stored.catch_up, stored.jitter_seconds, stored.source)
  is distinct from (excluded.definition, excluded.input::text, excluded.cron, excluded.time_zone, excluded.every_seconds,
    excluded.overlap, excluded.catch_up, excluded.jitter_seconds, excluded.source)`
