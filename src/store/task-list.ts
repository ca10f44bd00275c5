// Lists and counts tasks. The cost of a query depends neither on the number of tasks nor on the page.
import type { SelectedFields } from 'drizzle-orm/pg-core'
import { newId } from '../base/uuidv7.ts'
import type { Database, Drizzle } from './database.ts'
import { and, desc, getTableColumns, lt, sql } from './drizzle.ts'
import { type TaskRow, tasks } from './schema.ts'
import { conditionsOf, rangeOf, type TaskFilter } from './task-filter.ts'

/** Selects a part of a list: tasks with an id lower than `before`, newest first. */
export interface Place {
  before?: string
  limit: number
}

/** `next` is the `before` of the following part; null at the end of the list. */
export interface Part<Row> {
  rows: Row[]
  next: string | null
}

/** A task with excerpts instead of its input and result, which can be large. */
export type CompactRow = Omit<TaskRow, 'input' | 'result'> & {
  inputExcerpt: string
  resultExcerpt: string | null
}

export interface Count {
  count: number
  /** The `before` of this count. A bulk action that starts here sees no task submitted after the count. */
  first: string
  next: string | null
}

// Rows that one query scans at most; they take some tens of milliseconds. The limit is high, because running
// tasks are the oldest unfinished ones: with a hundred thousand waiting tasks, a list of running ones would
// need many queries otherwise.
const MAX_SCANNED = 30_000
// Limit for filters that read inputs or results, which can be large.
const MAX_SCANNED_WITH_INPUT = 3_000
// Lower for counts: failed tasks are scattered over the table, so each row can be on another disk page.
const MAX_COUNT_SCANNED = 5_000
const EXCERPT_CHARACTERS = 200

export type TaskList = ReturnType<typeof createTaskList>

export function createTaskList(database: Database) {
  return {
    /**
     * Lists tasks, newest first. Scans a limited number of rows. If few of them match, the page has fewer
     * than `limit` tasks, or none, and `next` is still set.
     */
    list(filter: TaskFilter, place: Place): Promise<Part<TaskRow>> {
      return database.use((drizzle) => selectPart(drizzle, ALL_COLUMNS, filter, place))
    },

    /** Like `list`, without inputs and results. */
    listCompact(filter: TaskFilter, place: Place): Promise<Part<CompactRow>> {
      return database.use((drizzle) => selectPart(drizzle, COMPACT_COLUMNS, filter, place))
    },

    /** Like `list`, with ids and statuses only. */
    listIds(filter: TaskFilter, place: Place): Promise<Part<Pick<TaskRow, 'id' | 'status'>>> {
      return database.use((drizzle) => selectPart(drizzle, ID_COLUMNS, filter, place))
    },

    /**
     * Counts matches in a limited number of rows. The caller repeats it with `next` and adds up the counts.
     */
    count(filter: TaskFilter, before?: string): Promise<Count> {
      return database.use(async (drizzle) => {
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

const ALL_COLUMNS = getTableColumns(tasks)
const ID_COLUMNS = { id: tasks.id, status: tasks.status }
const COMPACT_COLUMNS = compactColumns()

async function selectPart<Columns extends SelectedFields>(
  drizzle: Drizzle,
  columns: Columns,
  filter: TaskFilter,
  { before, limit }: Place,
) {
  const maxScanned = readsInput(filter) ? MAX_SCANNED_WITH_INPUT : MAX_SCANNED
  const scanned = scannedOf(drizzle, filter, { before, limit: maxScanned })
  // The subquery has the name of the table, so that the conditions of task-filter.ts apply to it.
  const found = await drizzle
    .select({ ...columns, cursor: tasks.id })
    .from(scanned.as('tasks'))
    .where(and(...conditionsOf(filter)))
    .orderBy(desc(tasks.id))
    .limit(limit + 1)
  const rows = found.slice(0, limit)
  const next = found.length > limit ? rows.at(-1)?.cursor : await endOf(drizzle, filter, before, maxScanned)
  return { rows, next: next ?? null }
}

/** Whether the filter reads inputs or results. */
function readsInput({ inputs, text }: TaskFilter): boolean {
  return inputs !== undefined || text !== undefined
}

function scannedOf(drizzle: Drizzle, filter: TaskFilter, { before, limit }: Place) {
  return drizzle.select().from(tasks).where(rangeFrom(filter, before)).orderBy(desc(tasks.id)).limit(limit)
}

function rangeFrom(filter: TaskFilter, before: string | undefined) {
  return and(...rangeOf(filter), before ? lt(tasks.id, before) : undefined)
}

/** Returns the id of the last row of a scan of `scanned` rows; null if the range has fewer rows. */
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

/** An id above every existing task of the range. */
async function firstOf(drizzle: Drizzle, filter: TaskFilter): Promise<string> {
  const [newest] = await scannedOf(drizzle, filter, { limit: 1 })
  return newest ? idAfter(newest.id) : newId()
}

function idAfter(id: string): string {
  const next = (BigInt(`0x${id.replaceAll('-', '')}`) + 1n).toString(16).padStart(32, '0')
  return next.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

function compactColumns() {
  const { input, result, ...columns } = getTableColumns(tasks)
  return {
    ...columns,
    // `left` counts characters, not bytes, so it never cuts a character apart.
    inputExcerpt: sql<string>`left(${input}::text, ${EXCERPT_CHARACTERS})`,
    resultExcerpt: sql<string | null>`left(${result}::text, ${EXCERPT_CHARACTERS})`,
  }
}
