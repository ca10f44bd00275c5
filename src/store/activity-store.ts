// Sums of events (accepted, succeeded, failed, …) per time span. Every process adds its sums, so that
// statistics do not have to count rows of `tasks`.
import { type ActivitySum, type Measure, SPANS } from '../telemetry/activity.ts'
import { type BatchStatement, doubles, integers, texts } from './columns.ts'
import type { Database } from './database.ts'
import { sql } from './drizzle.ts'

/** Events between two timestamps, in steps of equal length. */
export interface ActivityWindow {
  /** When the window was read. The last step has not ended at that time. */
  atMs: number
  stepSeconds: number
  /** Start of each step. */
  startsAtMs: number[]
  /** Sums over all definitions; `step` counts from 0. */
  bySteps: { step: number; measure: Measure; bucket: number; count: number }[]
  /** Sums over all steps. */
  byNames: { name: string; measure: Measure; bucket: number; count: number }[]
  /** Number of tasks that ended, in any final status. */
  endedByNamesAndSteps: { name: string; step: number; count: number }[]
}

export type ActivityStore = ReturnType<typeof createActivityStore>

export function createActivityStore(database: Database) {
  return {
    /**
     * Adds sums to the stored ones. Postgres's clock decides the span. The commit is asynchronous: a crash of
     * Postgres can lose the last sums, but no task.
     */
    async add(sums: ActivitySum[]): Promise<void> {
      if (sums.length === 0) return
      const columns = {
        name: texts(sums.map(({ name }) => name)),
        measure: texts(sums.map(({ measure }) => measure)),
        bucket: integers(sums.map(({ bucket }) => bucket)),
        count: integers(sums.map(({ count }) => count)),
        age_ms: doubles(sums.map(({ ageMs }) => ageMs)),
      }
      await database.run(ADD, columns)
    },

    /**
     * Reads the last `windowSeconds`: the current step, and as many steps before it as fit into the window.
     */
    async read(windowSeconds: number): Promise<ActivityWindow> {
      const { widthSeconds, stepSeconds } = stepsFor(windowSeconds)
      const [clock] = await database.query<{ seconds: number }>(
        sql`select extract(epoch from now())::float8 as seconds`,
      )
      const nowSeconds = clock?.seconds ?? 0
      const steps = Math.ceil(windowSeconds / stepSeconds)
      const first = (Math.floor(nowSeconds / stepSeconds) - steps + 1) * stepSeconds
      const rows = await database.query<GroupedRow>(sql`
        select floor((extract(epoch from starts_at)::float8 - ${first}::float8) / ${stepSeconds}::float8)::int as step,
               name, measure, bucket, sum(count)::float8 as count,
               (sum(count) filter (where measure in ('SUCCESS', 'FAILURE', 'CANCELLED')))::float8 as ended
        from activity where width = ${widthSeconds} and starts_at >= to_timestamp(${first}::float8)
        group by grouping sets ((step, measure, bucket), (name, measure, bucket), (name, step))`)
      return {
        atMs: nowSeconds * 1_000,
        stepSeconds,
        startsAtMs: Array.from({ length: steps }, (_, step) => (first + step * stepSeconds) * 1_000),
        ...sorted(rows, steps),
      }
    },

    /** Deletes spans that are older than their width is kept. */
    async prune(): Promise<void> {
      for (const { widthSeconds, keptSeconds } of SPANS)
        await database.query(sql`
          delete from activity
          where width = ${widthSeconds} and starts_at < now() - ${keptSeconds}::float8 * interval '1 second'`)
    },
  }
}

const WIDTHS = sql.raw(`unnest(array[${SPANS.map(({ widthSeconds }) => widthSeconds).join()}]) as width`)

// Rows are inserted in a fixed order, so that two processes cannot deadlock.
const ADD: BatchStatement = {
  name: 'add_activity',
  build: (rows) => sql`
    insert into activity (width, starts_at, name, measure, bucket, count)
    select width, to_timestamp(floor(extract(epoch from now() - age_ms * interval '1 ms') / width) * width) as starts_at,
           name, measure, bucket, sum(count)::int
    from ${rows}, ${WIDTHS}, set_config('synchronous_commit', 'off', true) as setting
    group by width, starts_at, name, measure, bucket
    order by width, starts_at, name, measure, bucket
    on conflict (width, starts_at, name, measure, bucket) do update set count = activity.count + excluded.count`,
}

// A chart on the page cannot show more steps than this.
const MAX_STEPS = 160

/**
 * Chooses the narrowest span that needs at most `MAX_STEPS` steps. If no span is wide enough, a step consists
 * of several widest spans.
 */
function stepsFor(windowSeconds: number): { widthSeconds: number; stepSeconds: number } {
  const narrow = SPANS.find(({ widthSeconds }) => windowSeconds / widthSeconds <= MAX_STEPS)
  if (narrow) return { widthSeconds: narrow.widthSeconds, stepSeconds: narrow.widthSeconds }
  const widthSeconds = Math.max(...SPANS.map((span) => span.widthSeconds))
  return { widthSeconds, stepSeconds: widthSeconds * Math.ceil(windowSeconds / widthSeconds / MAX_STEPS) }
}

/** A row of one of the three grouping sets. Columns that the set does not group by are null. */
interface GroupedRow {
  step: number | null
  name: string | null
  measure: Measure | null
  bucket: number | null
  count: number
  ended: number | null
}

function sorted(rows: GroupedRow[], steps: number) {
  const bySteps: ActivityWindow['bySteps'] = []
  const byNames: ActivityWindow['byNames'] = []
  const endedByNamesAndSteps: ActivityWindow['endedByNamesAndSteps'] = []
  for (const { step, name, measure, bucket, count, ended } of rows) {
    // Skip a span that started after the clock was read.
    if (step !== null && step >= steps) continue
    if (name === null && step !== null && measure !== null && bucket !== null)
      bySteps.push({ step, measure, bucket, count })
    else if (step === null && name !== null && measure !== null && bucket !== null)
      byNames.push({ name, measure, bucket, count })
    else if (name !== null && step !== null && ended !== null)
      endedByNamesAndSteps.push({ name, step, count: ended })
  }
  return { bySteps, byNames, endedByNamesAndSteps }
}
