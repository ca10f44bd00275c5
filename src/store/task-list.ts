// Lists and counts tasks. Each query scans a limited number of rows, so its cost depends neither on the
// number of tasks nor on how far the client has paged.
import type { SQL, SQLWrapper } from 'drizzle-orm'
import type { SelectedFields } from 'drizzle-orm/pg-core'
import { newId } from '../base/uuidv7.ts'
import { IS_WITHIN_PAGE, PAGE_COLUMNS } from './byte-budget.ts'
import { and, desc, getTableColumns, lt, notInArray, sql } from './drizzle.ts'
import type { Drizzle, Queries } from './lanes.ts'
import { type TaskRow, tasks } from './schema.ts'
import { TASK_COLUMNS } from './task-columns.ts'
import { conditionsOf, rangeOf, type TaskFilter } from './task-filter.ts'

/** Selects a part of a list: up to `limit` tasks with an id lower than `before`, newest first. */
export interface Place {
  before?: string
  limit: number
}

/** A part of a list of tasks. `next` is the `before` of the following part; null at the end of the list. */
export interface Part<Row> {
  rows: Row[]
  next: string | null
}

/** The row of a task with excerpts instead of its input and result, which can be large. */
export type CompactRow = Omit<TaskRow, 'input' | 'result'> & {
  inputExcerpt: string
  resultExcerpt: string | null
}

export interface Count {
  count: number
  /**
   * Id at which the count started; all counted tasks have lower ids. It is the given `before`, or an id above
   * the newest task that the filter can match. A bulk action with this `before` excludes tasks that were
   * submitted after the count.
   */
  first: string
  next: string | null
}

// Maximum number of rows that one query scans, which takes some tens of milliseconds. It is high, because
// running tasks are the oldest unfinished ones, and lists begin with the newest: with a hundred thousand
// waiting tasks and a lower limit, a list of running tasks would need many queries.
const MAX_SCANNED = 30_000
// Maximum number of scanned rows if the filter reads inputs or results, which can be large.
const MAX_SCANNED_WITH_INPUT = 3_000
// Maximum number of rows that one count scans. It is lower than for lists, because a count of failed tasks
// scans rows that are scattered over the table: each of them can be on another disk page.
const MAX_COUNT_SCANNED = 5_000
export const EXCERPT_CHARACTERS = 200
// Maximum size of an input or a result that `listCompact` returns whole, in bytes.
const MAX_WHOLE_BYTES = 16 * 1_024

export type TaskList = ReturnType<typeof createTaskList>

export function createTaskList(searches: Queries) {
  return {
    /**
     * Lists tasks, newest first. Scans a limited number of rows. If few of them match the filter, the part
     * has fewer than `limit` tasks, or none, although `next` is set and more tasks can follow. The part also
     * ends early when its inputs and results have `PAGE_BYTES`.
     */
    list(filter: TaskFilter, place: Place): Promise<Part<TaskRow>> {
      return searches.use((drizzle) => selectPart(drizzle, ALL_COLUMNS, filter, place, IS_WITHIN_PAGE))
    },

    /**
     * Works like `list`, but returns excerpts of inputs and results.
     * @param whole names of definitions whose inputs or results are returned whole instead of as excerpts; empty if
     *    they are larger than 16 KiB
     */
    listCompact(
      filter: TaskFilter,
      place: Place,
      whole?: { inputs: string[]; results: string[] },
    ): Promise<Part<CompactRow>> {
      const columns = whole ? compactColumns(whole) : COMPACT_COLUMNS
      return searches.use((drizzle) => selectPart(drizzle, columns, filter, place))
    },

    /** Works like `list`, but returns only ids and statuses. */
    listIds(filter: TaskFilter, place: Place): Promise<Part<Pick<TaskRow, 'id' | 'status'>>> {
      return searches.use((drizzle) => selectPart(drizzle, ID_COLUMNS, filter, place))
    },

    /**
     * Scans a limited number of rows and counts those that match the filter. If `next` is set, more rows
     * follow: the caller repeats the call with it as `before`, and adds up the counts.
     */
    count(filter: TaskFilter, before?: string): Promise<Count> {
      return searches.use(async (drizzle) => {
        const first = before ?? (await firstOf(drizzle, filter))
        const limit = readsInput(filter) ? MAX_SCANNED_WITH_INPUT : MAX_COUNT_SCANNED
        const scanned = scannedOf(drizzle, filter, { before: first, limit })
        const [row] = await drizzle
          .select({ count: sql<number>`count(*)::int` })
          .from(scanned.as('tasks'))
          .where(and(...conditionsOf(filter)))
        return { count: row?.count ?? 0, first, next: await endOf(drizzle, filter, first, limit) }
      })
    },
  }
}

const ALL_COLUMNS = TASK_COLUMNS
const ID_COLUMNS = { id: tasks.id, status: tasks.status }
const COMPACT_COLUMNS = compactColumns({ inputs: [], results: [] })

async function selectPart<Columns extends SelectedFields>(
  drizzle: Drizzle,
  columns: Columns,
  filter: TaskFilter,
  { before, limit }: Place,
  within?: SQL,
) {
  const maxScanned = readsInput(filter) ? MAX_SCANNED_WITH_INPUT : MAX_SCANNED
  const scanned = scannedOf(drizzle, filter, { before, limit: maxScanned })
  // The subquery that limits the scan is named like the table, so that the conditions of task-filter.ts,
  // which name the table, apply to it.
  const page = drizzle
    .select({ ...getTableColumns(tasks), ...PAGE_COLUMNS })
    .from(scanned.as('tasks'))
    .where(and(...conditionsOf(filter)))
    .orderBy(desc(tasks.id))
    .limit(limit)
  const rows = await drizzle
    .select({ ...columns, cursor: tasks.id, hasNext: sql<boolean>`has_next` })
    .from(page.as('tasks'))
    .where(within)
    .orderBy(desc(tasks.id))
  const last = rows.at(-1)
  const next = last?.hasNext ? last.cursor : await endOf(drizzle, filter, before, maxScanned)
  return { rows, next: next ?? null }
}

/** Checks whether a filter reads inputs or results, which can be large. */
function readsInput({ inputs, text }: TaskFilter): boolean {
  return inputs !== undefined || text !== undefined
}

function scannedOf(drizzle: Drizzle, filter: TaskFilter, { before, limit }: Place) {
  return drizzle.select().from(tasks).where(rangeFrom(filter, before)).orderBy(desc(tasks.id)).limit(limit)
}

function rangeFrom(filter: TaskFilter, before: string | undefined) {
  return and(...rangeOf(filter), before ? lt(tasks.id, before) : undefined)
}

/**
 * Returns the id of the last row that a scan of `scanned` rows reads, which the caller returns as `next`.
 * Null if fewer rows are left: the scan then reaches the end of the list.
 */
async function endOf(drizzle: Drizzle, filter: TaskFilter, before: string | undefined, scanned: number) {
  const [last] = await drizzle
    .select({ id: tasks.id })
    .from(tasks)
    .where(rangeFrom(filter, before))
    .orderBy(desc(tasks.id))
    .offset(scanned - 1)
    .limit(1)
  return last?.id ?? null
}

/**
 * Returns the id at which a count starts that has no cursor: just above the newest task of the filter's
 * range.
 */
async function firstOf(drizzle: Drizzle, filter: TaskFilter): Promise<string> {
  const [newest] = await scannedOf(drizzle, filter, { limit: 1 })
  return newest ? idAfter(newest.id) : newId()
}

function idAfter(id: string): string {
  const next = (BigInt(`0x${id.replaceAll('-', '')}`) + 1n).toString(16).padStart(32, '0')
  return next.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

function compactColumns({ inputs, results }: { inputs: string[]; results: string[] }) {
  const { input, result, ...columns } = TASK_COLUMNS
  return {
    ...columns,
    inputExcerpt: sql<string>`${excerptOf(input, inputs)}`,
    resultExcerpt: sql<string | null>`${excerptOf(result, results)}`,
  }
}

function excerptOf(column: SQLWrapper, whole: string[]): SQL {
  // Shortens texts with the SQL function `left`, which counts characters, not bytes, so it never cuts a
  // character apart.
  const excerpt = sql`left(${column}::text, ${EXCERPT_CHARACTERS})`
  if (whole.length === 0) return excerpt
  return sql`case when ${notInArray(tasks.name, whole)} then ${excerpt}
    when octet_length(${column}::text) > ${MAX_WHOLE_BYTES}::int then '' else ${column}::text end`
}
