// Which columns the list has; the choice stays in this browser.
import { createObservable, type Observable } from '../parts/observable.ts'

export const COLUMNS = {
  id: 'Id',
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

/** Beside status and name, which are always there. */
export type Column = keyof typeof COLUMNS

const DEFAULT: Column[] = ['id', 'input', 'queue', 'tags', 'attempts', 'created', 'waited', 'ran']
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
