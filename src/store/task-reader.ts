// Every read of `tasks` for people and programs outside.
import type { TaskStatus } from '../task-status.ts'
import { firstIdOf } from '../uuidv7.ts'
import type { Database } from './database.ts'
import { asc, eq, getTableColumns, sql } from './drizzle.ts'
import { createGroupCommit } from './group-commit.ts'
import { type AttemptRow, attempts, type TaskRow, tasks } from './schema.ts'
import { isOneOf, recordset } from './statements.ts'

/** Counts and times of the tasks submitted within a window. Times in milliseconds; null where nothing was measured. */
export interface Stats {
  byStatus: Partial<Record<TaskStatus, number>>
  waiting: number
  running: number
  oldestWaitingMs: number | null
  waitMs: { p50: number | null; p95: number | null }
  runMs: { p50: number | null; p95: number | null }
}

/** A task as somebody last saw it. */
export interface KnownTask {
  id: string
  version: number
}

export type TaskReader = ReturnType<typeof createTaskReader>

export function createTaskReader(database: Database) {
  const finds = createGroupCommit<string, TaskRow | undefined>({ name: 'reads of tasks', write: findMany })
  return {
    /** Those who ask at the same time are answered together. */
    find: (id: string): Promise<TaskRow | undefined> => finds.submit(id.toLowerCase()),

    /** Failed and lost attempts, first one first. */
    attemptsOf(id: string): Promise<AttemptRow[]> {
      return database.use((drizzle) =>
        drizzle
          .select()
          .from(attempts)
          .where(eq(attempts.taskId, id))
          .orderBy(asc(attempts.attempt))
          .limit(1_000),
      )
    },

    /** Those of these tasks that are no longer as they are known; without those that do not exist. */
    async findChanged(known: KnownTask[]): Promise<TaskRow[]> {
      const given = sql`${recordset(known)} as given(id uuid, version int)`
      return database.use((drizzle) =>
        drizzle
          .select(getTableColumns(tasks))
          .from(tasks)
          .innerJoin(given, sql`given.id = ${tasks.id} and given.version <> ${tasks.version}`)
          .where(isOneOf(known)),
      )
    },

    async stats(since: Date): Promise<Stats> {
      const [byStatus, live] = await Promise.all([
        database.query<StatusSummary>(sql`
          select status, count(*)::int as count,
                 percentile_cont(0.5) within group (order by extract(epoch from started_at - created_at) * 1000) as wait50,
                 percentile_cont(0.95) within group (order by extract(epoch from started_at - created_at) * 1000) as wait95,
                 percentile_cont(0.5) within group (order by extract(epoch from finished_at - started_at) * 1000) as run50,
                 percentile_cont(0.95) within group (order by extract(epoch from finished_at - started_at) * 1000) as run95
          from tasks where id >= ${firstIdOf(since.getTime())}::uuid
          group by grouping sets ((status), ())`),
        database.query<{ waiting: number; running: number; oldest: number | null }>(sql`
          select count(*) filter (where status <> 'STARTED')::int as waiting,
                 count(*) filter (where status = 'STARTED')::int as running,
                 extract(epoch from now() - min(run_at) filter (where status <> 'STARTED'))::float8 * 1000 as oldest
          from tasks where finished_at is null`),
      ])
      const total = byStatus.find(({ status }) => status === null)
      const counted = byStatus.flatMap(({ status, count }) => (status === null ? [] : [[status, count]]))
      return {
        byStatus: Object.fromEntries(counted),
        waiting: live[0]?.waiting ?? 0,
        running: live[0]?.running ?? 0,
        // A task that waits for its time is not late.
        oldestWaitingMs: live[0]?.oldest == null ? null : Math.max(0, live[0].oldest),
        waitMs: { p50: total?.wait50 ?? null, p95: total?.wait95 ?? null },
        runMs: { p50: total?.run50 ?? null, p95: total?.run95 ?? null },
      }
    },
  }

  async function findMany(ids: string[]): Promise<(TaskRow | undefined)[]> {
    const rows = await database.use((drizzle) =>
      drizzle
        .select()
        .from(tasks)
        .where(isOneOf(ids.map((id) => ({ id })))),
    )
    const byId = new Map(rows.map((row) => [row.id, row]))
    return ids.map((id) => byId.get(id))
  }
}

interface StatusSummary {
  /** null in the row that speaks of all statuses together */
  status: TaskStatus | null
  count: number
  wait50: number | null
  wait95: number | null
  run50: number | null
  run95: number | null
}
