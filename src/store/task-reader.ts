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
