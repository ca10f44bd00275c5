// Stores statistics: sums of events (accepted, succeeded, failed, …) per time span. Every process adds its
// own sums, so that reading statistics does not require counting rows of `tasks`.
import { type ActivitySum, type Measure, SPANS } from '../telemetry/activity.ts'
import { type BatchStatement, doubles, integers, texts } from './columns.ts'
import type { Database } from './database.ts'
import { sql } from './drizzle.ts'

/** Statistics of a time window, which is divided into steps of equal length. */
export interface ActivityWindow {
  /** When the window was read (ms since 1970, clock of Postgres). The last step ends after that time. */
  atMs: number
  stepSeconds: number
  /** Start of each step, in milliseconds since 1970. */
  startsAtMs: number[]
  /** Number of events per step, summed over all definitions. `step` is an index of `startsAtMs`. */
  bySteps: { step: number; measure: Measure; bucket: number; count: number }[]
  /** Number of events per definition (`name`), summed over all steps. */
  byNames: { name: string; measure: Measure; bucket: number; count: number }[]
  /** Number of tasks that ended, in any final status, per definition and step. */
  endedByNamesAndSteps: { name: string; step: number; count: number }[]
}

export type ActivityStore = ReturnType<typeof createActivityStore>

export function createActivityStore(database: Database) {
  return {
    /**
     * Adds the event counts of this process to the table `activity`. Postgres subtracts the age of a count
     * (`ageMs`) from its own clock to find the time span to which the count belongs. The commit is
     * asynchronous: a crash of Postgres can lose the last counts, but no task.
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
     * Returns the statistics of the last `windowSeconds`. The last step is the current one, which has not
     * ended. Steps start at multiples of their length.
     */
    async read(windowSeconds: number): Promise<ActivityWindow> {
      const { widthSeconds, stepSeconds } = stepsFor(windowSeconds)
      const [clock] = await database.maintenance.query<{ seconds: number }>(
        sql`select extract(epoch from now())::float8 as seconds`,
      )
      const nowSeconds = clock?.seconds ?? 0
      const steps = Math.ceil(windowSeconds / stepSeconds)
      const first = (Math.floor(nowSeconds / stepSeconds) - steps + 1) * stepSeconds
      const rows = await database.maintenance.query<GroupedRow>(sql`
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

    /**
     * Deletes old rows of the table `activity`. Rows of short time spans are deleted earlier than those of
     * long ones (`keptSeconds` in `SPANS`).
     */
    async prune(): Promise<void> {
      for (const { widthSeconds, keptSeconds } of SPANS)
        await database.maintenance.query(sql`
          delete from activity
          where width = ${widthSeconds} and starts_at < now() - ${keptSeconds}::float8 * interval '1 second'`)
    },
  }
}

const WIDTHS = sql.raw(`unnest(array[${SPANS.map(({ widthSeconds }) => widthSeconds).join()}]) as width`)

// Adds event counts to the rows of their time spans in the table `activity`; inserts the rows that do not
// exist yet. The rows are written in a fixed order, so that two processes that write the same rows cannot
// deadlock.
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

// Maximum number of steps in a window: a chart on the page cannot show more.
const MAX_STEPS = 160

/**
 * Chooses the length of the steps for a window: the narrowest stored time span with which the window has at
 * most `MAX_STEPS` steps. If no span is wide enough, a step consists of several spans of the largest width.
 */
function stepsFor(windowSeconds: number): { widthSeconds: number; stepSeconds: number } {
  const narrow = SPANS.find(({ widthSeconds }) => windowSeconds / widthSeconds <= MAX_STEPS)
  if (narrow) return { widthSeconds: narrow.widthSeconds, stepSeconds: narrow.widthSeconds }
  const widthSeconds = Math.max(...SPANS.map((span) => span.widthSeconds))
  return { widthSeconds, stepSeconds: widthSeconds * Math.ceil(windowSeconds / widthSeconds / MAX_STEPS) }
}

/**
 * A result row of the query in `read`, which groups by three sets of columns. Columns by which a row is not
 * grouped are null.
 */
interface GroupedRow {
  step: number | null
  name: string | null
  measure: Measure | null
  bucket: number | null
  count: number
  ended: number | null
}

/** Sorts the rows into the lists of an `ActivityWindow`, by the grouping set to which each belongs. */
function sorted(rows: GroupedRow[], steps: number) {
  const bySteps: ActivityWindow['bySteps'] = []
  const byNames: ActivityWindow['byNames'] = []
  const endedByNamesAndSteps: ActivityWindow['endedByNamesAndSteps'] = []
  for (const { step, name, measure, bucket, count, ended } of rows) {
    // Skip a time span that started after `read` had queried the clock of Postgres. It belongs to no step.
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
