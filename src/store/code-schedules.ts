// Writes the schedules of the code to the table `schedules`. During a rollout, workers with different code
// run side by side. All of them report the version (a hash) of their schedules. The schedules of the version
// that was seen first most recently apply, until no worker has reported it for a minute. So a restarted
// worker of an old version changes nothing, and after a rollback the schedules of the old version apply
// again.
import { createHash } from 'node:crypto'
import type { SQL } from 'drizzle-orm'
import { type CompleteSchedule, timingOf } from '../definitions/schedule.ts'
import { nextTick } from '../definitions/schedule-times.ts'
import type { Database } from './database.ts'
import { sql } from './drizzle.ts'
import { changeSchedules } from './schedule-changes.ts'
import { texts } from './statements.ts'

export type CodeSchedules = ReturnType<typeof createCodeSchedules>

// How long a version counts as running after the last report of its workers.
const RUNNING_MS = 60_000
// How long an unused version is remembered.
const KEPT_DAYS = 90

interface State {
  nowMs: number
  isNewest: boolean
  isApplied: boolean
}

export function createCodeSchedules(database: Database) {
  return {
    /**
     * Reports that a worker with these schedules runs. If its version is the newest one, makes the schedules
     * with the source `code` equal to them: adds, changes and removes schedules. A schedule keeps its pause,
     * and its next tick unless its times have changed.
     * @param options.isNewest makes this version the newest one
     */
    async follow(schedules: CompleteSchedule[], { isNewest = false } = {}): Promise<void> {
      const version = versionOf(schedules)
      const [state] = await database.query<State>(report(version, isNewest), { name: 'report_schedules' })
      if (state?.isNewest && !state.isApplied) await apply(version, schedules)
    },
  }

  async function apply(version: string, schedules: CompleteSchedule[]): Promise<void> {
    await database.use((drizzle) =>
      drizzle.transaction(async (transaction) => {
        // Another worker can report a newer version, or apply this one, between two statements.
        await transaction.execute(sql`lock table schedule_versions in share row exclusive mode`)
        const result: unknown = await transaction.execute(report(version, false))
        const [{ isNewest, isApplied, nowMs }] = (result as { rows: [State] }).rows
        if (!isNewest || isApplied) return
        const names = schedules.map(({ name }) => name)
        const removed = sql`source = 'code' and name <> all(array(select value from ${texts(names)}))`
        await transaction.execute(sql`
          with removed as (delete from schedules where ${removed} returning name)
          delete from schedule_runs using removed where schedule_runs.schedule = removed.name`)
        const ticks = schedules.map((schedule) => nextTick(timingOf(schedule), nowMs))
        await transaction.execute(changeSchedules(schedules, ticks, 'code'))
        await transaction.execute(
          sql`update schedule_versions set applied_at = clock_timestamp() where version = ${version}`,
        )
        await transaction.execute(
          sql`delete from schedule_versions where last_seen_at < now() - ${KEPT_DAYS}::int * interval '1 day'`,
        )
      }),
    )
  }
}

/** Reports a version, and reads whether it is the newest one that runs, and whether it was applied last. */
function report(version: string, isNewest: boolean): SQL {
  const isRunning = sql`other.last_seen_at > now() - ${RUNNING_MS}::float8 * interval '1 ms'`
  return sql`
    with seen as (
      insert into schedule_versions as stored (version) values (${version})
      on conflict (version) do update set last_seen_at = now(),
        first_seen_at = case when ${isNewest}::boolean then now() else stored.first_seen_at end
      returning *
    )
    select extract(epoch from now())::float8 * 1000 as "nowMs",
      not exists (select 1 from schedule_versions as other
        where other.version <> seen.version and ${isRunning}
          and (other.first_seen_at, other.version) > (seen.first_seen_at, seen.version)) as "isNewest",
      seen.applied_at is not null and not exists (select 1 from schedule_versions as other
        where other.version <> seen.version and other.applied_at > seen.applied_at) as "isApplied"
    from seen`
}

function versionOf(schedules: CompleteSchedule[]): string {
  const sorted = schedules.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex')
}
