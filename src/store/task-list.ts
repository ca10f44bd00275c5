// Lists and counts of tasks, at a cost that depends neither on how many there are nor on how far back one looks.
import type { SelectedFields } from 'drizzle-orm/pg-core'
import { newId } from '../base/uuidv7.ts'
import type { Database, Drizzle } from './database.ts'
import { and, desc, getTableColumns, lt, sql } from './drizzle.ts'
import { type TaskRow, tasks } from './schema.ts'
import { conditionsOf, rangeOf, type TaskFilter } from './task-filter.ts'

/** A part of a list: strictly older than `before`, newest first. */
export interface Place {
  before?: string
  limit: number
}

/** `next` is where the following part begins; null at the end. */
export interface Part<Row> {
  rows: Row[]
  next: string | null
}

/** A task without what may be large, and the beginning of that. */
export type CompactRow = Omit<TaskRow, 'input' | 'result'> & {
  inputExcerpt: string
  resultExcerpt: string | null
}

export interface Count {
  count: number
  /** Nothing from here on was looked at: whoever begins here sees what was counted, and nothing that came later. */
  first: string
  next: string | null
}

// As many rows as are read in some tens of milliseconds, and as many as what they hold can be read of in that time. The
// oldest of a hundred thousand that wait are those that run: whoever looks for them is not to wait for many looks.
const MAX_LOOKED_AT = 30_000
const MAX_READ = 3_000
// Those that ended badly lie scattered among all the others, each on a page of its own.
const MAX_COUNTED = 5_000
const EXCERPT_CHARACTERS = 200

export type TaskList = ReturnType<typeof createTaskList>

export function createTaskList(database: Database) {
  return {
    /**
     * Newest first. SharedQueries at so many rows at most, whatever the filter and the page: where few match, a page may have
     * fewer than `limit` rows, or none, and there is a next one all the same.
     */
    list(filter: TaskFilter, place: Place): Promise<Part<TaskRow>> {
      return database.use((drizzle) => look(drizzle, WHOLE, filter, place))
    },

    /** The same without what may be large. */
    listCompact(filter: TaskFilter, place: Place): Promise<Part<CompactRow>> {
      return database.use((drizzle) => look(drizzle, COMPACT, filter, place))
    },

    /** The same, of which only ids and statuses are wanted. */
    listIds(filter: TaskFilter, place: Place): Promise<Part<Pick<TaskRow, 'id' | 'status'>>> {
      return database.use((drizzle) => look(drizzle, IDS, filter, place))
    },

    /** How many there are among the next so many rows; the caller adds up until there are no more. */
    count(filter: TaskFilter, before?: string): Promise<Count> {
      return database.use(async (drizzle) => {
        const first = before ?? (await firstOf(drizzle, filter))
        const limit = isReading(filter) ? MAX_READ : MAX_COUNTED
        const seen = seenOf(drizzle, filter, { before: first, limit })
        const [row] = await drizzle
          .select({ count: sql<number>`count(*)::int` })
          .from(seen.as('tasks'))
          .where(and(...conditionsOf(filter)))
        return { count: row?.count ?? 0, first, next: await endOf(drizzle, filter, first, limit) }
      })
    },
  }
}

const WHOLE = getTableColumns(tasks)
const IDS = { id: tasks.id, status: tasks.status }
const COMPACT = compactColumns()

async function look<Columns extends SelectedFields>(
  drizzle: Drizzle,
  columns: Columns,
  filter: TaskFilter,
  { before, limit }: Place,
) {
  const most = isReading(filter) ? MAX_READ : MAX_LOOKED_AT
  const seen = seenOf(drizzle, filter, { before, limit: most })
  // Under the table's own name, so that the conditions are the same everywhere.
  const found = await drizzle
    .select({ ...columns, cursor: tasks.id })
    .from(seen.as('tasks'))
    .where(and(...conditionsOf(filter)))
    .orderBy(desc(tasks.id))
    .limit(limit + 1)
  const rows = found.slice(0, limit)
  const next = found.length > limit ? rows.at(-1)?.cursor : await endOf(drizzle, filter, before, most)
  return { rows, next: next ?? null }
}

/** Whether inputs or results have to be read. */
function isReading({ inputs, text }: TaskFilter): boolean {
  return inputs !== undefined || text !== undefined
}

function seenOf(drizzle: Drizzle, filter: TaskFilter, { before, limit }: Place) {
  return drizzle.select().from(tasks).where(rangeFrom(filter, before)).orderBy(desc(tasks.id)).limit(limit)
}

function rangeFrom(filter: TaskFilter, before: string | undefined) {
  return and(...rangeOf(filter), before ? lt(tasks.id, before) : undefined)
}

/** The last of so many rows; null where there are fewer. */
async function endOf(drizzle: Drizzle, filter: TaskFilter, before: string | undefined, looked: number) {
  const [last] = await drizzle
    .select({ id: tasks.id })
    .from(tasks)
    .where(rangeFrom(filter, before))
    .orderBy(desc(tasks.id))
    .offset(looked - 1)
    .limit(1)
  return last?.id ?? null
}

/** What is newer than everything that is there now. */
async function firstOf(drizzle: Drizzle, filter: TaskFilter): Promise<string> {
  const [newest] = await seenOf(drizzle, filter, { limit: 1 })
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
    // Of the text: Postgres cuts between characters.
    inputExcerpt: sql<string>`left(${input}::text, ${EXCERPT_CHARACTERS})`,
    resultExcerpt: sql<string | null>`left(${result}::text, ${EXCERPT_CHARACTERS})`,
  }
}
