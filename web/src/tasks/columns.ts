// Which columns the list has; the choice stays in this browser.
import { createObservable, type Observable } from '../parts/observable.ts'

export const COLUMNS = {
  input: 'Input',
  result: 'Result',
  queue: 'Queue',
  tags: 'Tags',
  attempts: 'Attempts',
  created: 'Submitted',
  finished: 'Finished',
  waited: 'Waited',
  ran: 'Ran',
  worker: 'Worker',
} as const

/** Widths in rem; those without one share what the others leave. */
const WIDTHS: Record<Column, number | null> = {
  input: null,
  result: null,
  queue: 6,
  tags: 7,
  attempts: 5.2,
  created: 8.2,
  finished: 8.2,
  waited: 7.6,
  ran: 5,
  worker: 8.5,
}
// What is always there, and the least that a column without a width can be read in.
const OTHERS = 23
const LEAST = 11

/** As CSS has it. */
export function widthOf(column: Column): string {
  const width = WIDTHS[column]
  return width === null ? 'auto' : `${width}rem`
}

/** Below this the table is wider than its place, and can be moved in it. */
export function leastWidthOf(columns: readonly Column[]): string {
  return `${columns.reduce((sum, column) => sum + (WIDTHS[column] ?? LEAST), OTHERS)}rem`
}

/** Beside status and name, which are always there. */
export type Column = keyof typeof COLUMNS

const DEFAULT: Column[] = ['input', 'queue', 'tags', 'attempts', 'created', 'waited', 'ran']
const KEY = 'waggle.columns'

export interface ColumnChoice {
  chosen: Observable<readonly Column[]>
  toggle(column: Column): void
  reset(): void
}

export function createColumnChoice(): ColumnChoice {
  const chosen = createObservable<readonly Column[]>(read())
  const choose = (next: readonly Column[]) => {
    chosen.set(next)
    write(next)
  }
  return {
    chosen,
    toggle(column) {
      const now = chosen.get()
      choose(
        now.includes(column)
          ? now.filter((one) => one !== column)
          : allColumns().filter((one) => one === column || now.includes(one)),
      )
    },
    reset: () => choose(DEFAULT),
  }
}

export function allColumns(): Column[] {
  // The members of the table above.
  return Object.keys(COLUMNS) as Column[]
}

function read(): readonly Column[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? 'null')
    return Array.isArray(kept) ? allColumns().filter((column) => kept.includes(column)) : DEFAULT
  } catch {
    return DEFAULT
  }
}

function write(columns: readonly Column[]) {
  try {
    localStorage.setItem(KEY, JSON.stringify(columns))
  } catch {
    // Storage is not allowed or full: the choice lives as long as the page does.
  }
}
