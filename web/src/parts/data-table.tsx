// A table described by its columns, with an optional caption and an optional row of totals.
import type { ComponentChildren } from 'preact'
import { Skeleton } from './skeleton.tsx'

export interface Column<Row> {
  title: string
  /**
   * CSS class that hides the title, e.g. `visually-hidden`. If it is set, the cells get no `data-label`,
   * because that attribute would show the title in front of each cell on narrow screens.
   */
  titleClass?: string
  cell: (row: Row) => ComponentChildren
  isNumber?: boolean
  /** CSS class of all cells of the column, also of the header cell. */
  class?: string
  /** CSS class of all cells of the column except the header cell. */
  cellClass?: string
  /** Whether screen readers announce changes of the cells. */
  isLive?: boolean
  /** Content of the column's cell in the row of totals. The columns with totals must be adjacent. */
  total?: ComponentChildren
}

export interface DataTableProps<Row> {
  class?: string
  caption?: string
  /** Columns from left to right. The cells of the first one are row headers. */
  columns: Column<Row>[]
  /** Null while the rows are loading; then a placeholder is shown. */
  rows: Row[] | null
  keyOf: (row: Row) => string | number
  /** Accessible name of the placeholder that is shown while the rows are loading. */
  loadingLabel?: string
  /** Whether cells have the column title in `data-label`, for narrow screens, where rows look like cards. */
  hasCellLabels?: boolean
  /** Header of the row of totals; null if there is no such row. */
  totalsTitle?: string | null
}

export function DataTable<Row>(props: DataTableProps<Row>) {
  const { caption, columns, rows, keyOf, loadingLabel, hasCellLabels = false, totalsTitle = null } = props
  if (rows === null) return <Skeleton label={loadingLabel} lines={['normal', 'normal', 'short']} />
  return (
    <table class={props.class}>
      {caption !== undefined && <caption class="visually-hidden">{caption}</caption>}
      <thead>
        <tr>
          {columns.map((column) => (
            <th key={column.title} scope="col" class={classOf(column)}>
              {column.titleClass ? <span class={column.titleClass}>{column.title}</span> : column.title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={keyOf(row)}>
            {columns.map((column, index) => (
              <Cell key={column.title} column={column} isHeader={index === 0} hasLabel={hasCellLabels}>
                {column.cell(row)}
              </Cell>
            ))}
          </tr>
        ))}
      </tbody>
      {totalsTitle !== null && (
        <tfoot>
          <Totals title={totalsTitle} columns={columns} hasLabels={hasCellLabels} />
        </tfoot>
      )}
    </table>
  )
}

interface CellProps<Row> {
  column: Column<Row>
  isHeader?: boolean
  hasLabel: boolean
  children?: ComponentChildren
}

function Cell<Row>({ column, isHeader = false, hasLabel, children }: CellProps<Row>) {
  const attributes = {
    class: classOf(column, column.cellClass),
    'data-label': hasLabel && !column.titleClass ? column.title : undefined,
    'aria-live': column.isLive ? ('polite' as const) : undefined,
  }
  return isHeader ? (
    <th scope="row" {...attributes}>
      {children}
    </th>
  ) : (
    <td {...attributes}>{children}</td>
  )
}

/** Row of totals. Its title spans the columns before the first total; an empty cell spans the last ones. */
function Totals<Row>(props: { title: string; columns: Column<Row>[]; hasLabels: boolean }) {
  const { title, columns, hasLabels } = props
  const start = columns.findIndex(({ total }) => total !== undefined)
  const end = columns.findLastIndex(({ total }) => total !== undefined) + 1
  return (
    <tr>
      <th scope="row" colSpan={start}>
        {title}
      </th>
      {columns.slice(start, end).map((column) => (
        <Cell key={column.title} column={column} hasLabel={hasLabels}>
          {column.total}
        </Cell>
      ))}
      <td colSpan={columns.length - end} />
    </tr>
  )
}

function classOf<Row>({ isNumber, class: name }: Column<Row>, cellClass?: string): string | undefined {
  return [isNumber && 'is-number', name, cellClass].filter(Boolean).join(' ') || undefined
}
