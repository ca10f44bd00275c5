// Columns of the task list, and the person's choice of visible columns, which is kept in local storage.
import { type ReadonlySignal, signal } from '@preact/signals'
import { readStored, writeStored } from '../parts/local-storage.ts'

export const COLUMNS = {
  input: 'Input',
  result: 'Result',
  queue: 'Queue',
  priority: 'Priority',
  tags: 'Tags',
  attempts: 'Attempts',
  created: 'Submitted',
  expires: 'Expires',
  finished: 'Finished',
  waited: 'Waited',
  ran: 'Ran',
  worker: 'Worker',
} as const

/** Widths of the columns in rem. Columns with null share the remaining space of the table. */
const WIDTHS: Record<Column, number | null> = {
  input: null,
  result: null,
  queue: 6,
  priority: 5.2,
  tags: 7,
  attempts: 5.2,
  created: 8.2,
  expires: 8.2,
  finished: 8.2,
  waited: 7.6,
  ran: 5,
  worker: 8.5,
}
// Widths in rem: the total of the columns that are always shown (checkbox, status, task), and the minimum of
// each column that shares the remaining space.
const FIXED_WIDTH = 23
const MIN_WIDTH = 11

/** Returns the CSS width of a column. */
export function widthOf(column: Column): string {
  const width = WIDTHS[column]
  return width === null ? 'auto' : `${width}rem`
}

/** Returns the minimum CSS width of the table. In a narrower container the table scrolls horizontally. */
export function minWidthOf(columns: readonly Column[]): string {
  return `${columns.reduce((sum, column) => sum + (WIDTHS[column] ?? MIN_WIDTH), FIXED_WIDTH)}rem`
}

/** A column that the person can show or hide. The columns for checkbox, status and task are always shown. */
export type Column = keyof typeof COLUMNS

const DEFAULT: Column[] = ['input', 'queue', 'tags', 'attempts', 'created', 'waited', 'ran']
const KEY = 'waggle.columns'

export interface ColumnChoice {
  chosen: ReadonlySignal<readonly Column[]>
  toggle(column: Column): void
  reset(): void
}

export function createColumnChoice(): ColumnChoice {
  const chosen = signal<readonly Column[]>(storedColumns())
  const choose = (next: readonly Column[]) => {
    chosen.value = next
    writeStored(KEY, next)
  }
  return {
    chosen,
    toggle(column) {
      const current = chosen.value
      choose(
        current.includes(column)
          ? current.filter((other) => other !== column)
          : allColumns().filter((other) => other === column || current.includes(other)),
      )
    },
    reset: () => choose(DEFAULT),
  }
}

export function allColumns(): Column[] {
  // The type assertion is needed, because Object.keys returns string[].
  return Object.keys(COLUMNS) as Column[]
}

function storedColumns(): readonly Column[] {
  const stored = readStored(KEY)
  return Array.isArray(stored) ? allColumns().filter((column) => stored.includes(column)) : DEFAULT
}
