// Converts schedules to the JSON that the API returns.
import type { z } from 'zod'
import type { KnownSchedule } from '../../service/schedules.ts'
import type { ScheduleRun } from '../../store/schedule-store.ts'
import type { Masking } from '../tasks/masking.ts'
import type { schedule, scheduleRun } from './schedule-schemas.ts'

export type ScheduleView = z.infer<typeof schedule>

/** @param masking hides the sensitive values of the input */
export function viewOfSchedule({ row, problem }: KnownSchedule, masking: Masking): ScheduleView {
  const { input } = masking.row({ name: row.definition, input: row.input, result: null })
  const isPaused = row.pausedAt !== null
  return {
    name: row.name,
    definition: row.definition,
    input,
    cron: row.cron,
    time_zone: row.timeZone,
    every_seconds: row.everySeconds,
    overlap: row.overlap,
    catch_up: row.catchUp,
    jitter_seconds: row.jitterSeconds,
    source: row.source,
    is_paused: isPaused,
    paused_at: row.pausedAt?.toISOString() ?? null,
    next_at: isPaused ? null : row.nextAt.toISOString(),
    waiting_at: row.waitingAt?.toISOString() ?? null,
    last_tick_at: row.lastTickAt?.toISOString() ?? null,
    skipped: row.skipped,
    problem,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  }
}

export function viewOfRun(run: ScheduleRun): z.infer<typeof scheduleRun> {
  return {
    tick_at: run.tickAt.toISOString(),
    task_id: run.taskId,
    status: run.status,
    is_manual: run.isManual,
    is_existing: run.isExisting,
  }
}
