// Every read of `tasks` for people and programs outside.
import type { SQL } from 'drizzle-orm'
import type { TaskStatus } from '../task-status.ts'
import { firstIdOf } from '../uuidv7.ts'
import type { Database } from './database.ts'
import { and, arrayContains, asc, desc, eq, getTableColumns, gte, inArray, lt, sql } from './drizzle.ts'
import { createGroupCommit } from './group-commit.ts'
import { type AttemptRow, attempts, type TaskRow, tasks } from './schema.ts'
import { isOneOf, recordset } from './statements.ts'

export interface TaskFilter {
  statuses?: TaskStatus[]
  name?: string
  queue?: string
  workerId?: string
  tag?: string
  /** Beginning of the id. */
  idPrefix?: string
  createdAfter?: Date
  createdBefore?: Date
  /** Somewhere in name, tags, input, result or error; upper and lower case are the same. */
  text?: string
}

// As many rows as are read in some tens of milliseconds.
const MAX_LOOKED_AT = 10_000

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

    /**
     * Newest first, strictly older than `before`. Looks at so many rows at most, whatever the filter and the page: where
     * few match, a page may have fewer than `limit` rows, or none, and there is a next one all the same.
     */
    async list(
      filter: TaskFilter,
      { before, limit }: { before?: string; limit: number },
    ): Promise<{ rows: TaskRow[]; next: string | null }> {
      const range = and(...rangeOf(filter), before ? lt(tasks.id, before) : undefined)
      return database.use(async (drizzle) => {
        const seen = drizzle.select().from(tasks).where(range).orderBy(desc(tasks.id)).limit(MAX_LOOKED_AT)
        // Under the table's own name, so that the conditions are the same everywhere.
        const found = await drizzle
          .select()
          .from(seen.as('tasks'))
          .where(and(...conditionsOf(filter)))
          .orderBy(desc(tasks.id))
          .limit(limit + 1)
        const rows = found.slice(0, limit)
        if (found.length > limit) return { rows, next: rows.at(-1)?.id ?? null }
        const [last] = await drizzle
          .select({ id: tasks.id })
          .from(tasks)
          .where(range)
          .orderBy(desc(tasks.id))
          .offset(MAX_LOOKED_AT - 1)
          .limit(1)
        return { rows, next: last?.id ?? null }
      })
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

/** What the primary key answers by itself. */
function rangeOf(filter: TaskFilter): (SQL | undefined)[] {
  return [
    filter.idPrefix === undefined ? undefined : idRange(filter.idPrefix),
    filter.createdAfter && gte(tasks.id, firstIdOf(filter.createdAfter.getTime())),
    filter.createdBefore && lt(tasks.id, firstIdOf(filter.createdBefore.getTime())),
  ]
}

function conditionsOf(filter: TaskFilter): (SQL | undefined)[] {
  return [
    filter.statuses && inArray(tasks.status, filter.statuses),
    filter.name === undefined ? undefined : eq(tasks.name, filter.name),
    filter.queue === undefined ? undefined : eq(tasks.queue, filter.queue),
    filter.workerId === undefined ? undefined : eq(tasks.workerId, filter.workerId),
    filter.tag === undefined ? undefined : arrayContains(tasks.tags, [filter.tag]),
    filter.text === undefined ? undefined : containsText(filter.text),
  ]
}

/** In whatever of a task people remember: what it was given, what became of it, what it was called. */
function containsText(text: string): SQL {
  const pattern = `%${text.replace(/[\\%_]/g, '\\$&')}%`
  return sql`concat_ws(' ', ${tasks.name}, array_to_string(${tasks.tags}, ' '), ${tasks.input}, ${tasks.result},
                       ${tasks.error}) ilike ${pattern}`
}

function idRange(prefix: string): SQL | undefined {
  const digits = prefix.replaceAll('-', '').toLowerCase()
  const edge = (filler: string) =>
    digits.padEnd(32, filler).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
  return and(gte(tasks.id, edge('0')), sql`${tasks.id} <= ${edge('f')}::uuid`)
}
