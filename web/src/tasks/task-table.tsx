// Table of tasks. On narrow screens CSS shows its rows as cards.
// biome-ignore-all lint/a11y/noRedundantRoles: some browsers drop the table roles when CSS changes `display`
import { useLayoutEffect, useRef } from 'preact/hooks'
import type { CompactTask, Definition } from '../api/api-client.ts'
import { StatusBadge } from '../parts/status-badge.tsx'
import { hashOf } from '../route.ts'
import { titleOf } from '../task/task-summary.ts'
import { COLUMNS, type Column, minWidthOf, widthOf } from './columns.ts'
import { Cell, shortId } from './task-cells.tsx'

export interface TaskTableProps {
  tasks: CompactTask[]
  /**
   * Checks whether the current list no longer contains a task. The table shows such a task as removed, and
   * keeps its row so that the other rows do not move.
   */
  isRemoved: (id: string) => boolean
  definitions: Definition[]
  columns: readonly Column[]
  atMs: number
  selected: ReadonlySet<string>
  isBusy: boolean
  onSelect: (ids: string[], isSelected: boolean) => void
  /** Called with true when the mouse moves over the table, and with false when it leaves. */
  onPointer: (isOver: boolean) => void
}

export function TaskTable(props: TaskTableProps) {
  const { tasks, isRemoved, definitions, columns, atMs, selected, isBusy, onSelect, onPointer } = props
  const count = tasks.filter(({ id }) => selected.has(id)).length
  return (
    <div class="table-place">
      <table
        class="task-table"
        style={{ '--min-width': minWidthOf(columns) }}
        role="table"
        aria-label="Tasks, newest first"
        aria-busy={isBusy ? 'true' : 'false'}
        onPointerMove={(event: PointerEvent) => event.pointerType === 'mouse' && onPointer(true)}
        onPointerLeave={() => onPointer(false)}
      >
        <thead role="rowgroup">
          <tr role="row">
            <th role="columnheader" scope="col" class="is-box">
              <SelectPage
                isAll={count > 0 && count === tasks.length}
                isSome={count > 0}
                onChange={(isOn) =>
                  onSelect(
                    tasks.map(({ id }) => id),
                    isOn,
                  )
                }
              />
            </th>
            <th role="columnheader" scope="col" class="is-status">
              Status
            </th>
            <th role="columnheader" scope="col" class="is-title">
              Task
            </th>
            {columns.map((column) => (
              <th
                key={column}
                role="columnheader"
                scope="col"
                class={`is-${column}`}
                style={{ width: widthOf(column) }}
              >
                {COLUMNS[column]}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {tasks.map((task) => {
            const title = titleOf(task, definitions)
            const isSelected = selected.has(task.id)
            return (
              <tr
                key={task.id}
                role="row"
                class={`${isSelected ? 'is-selected' : ''} ${isRemoved(task.id) ? 'is-removed' : ''}`}
                data-task={task.id}
              >
                <td role="cell" class="is-box">
                  <label class="select-box">
                    <input
                      type="checkbox"
                      checked={isSelected}
                      aria-label={`Select ${title} ${shortId(task.id)}`}
                      onChange={() => onSelect([task.id], !isSelected)}
                    />
                  </label>
                </td>
                <td role="cell" class="is-status">
                  <StatusBadge status={task.status} />
                </td>
                <td role="cell" class="is-title">
                  <a class="task-link" href={hashOf({ view: 'task', id: task.id })}>
                    {title}
                  </a>
                  <code class="cell-code" title={task.id}>
                    {shortId(task.id)}
                  </code>
                </td>
                {columns.map((column) => (
                  <td key={column} role="cell" class={`is-${column}`}>
                    <span class="cell-label" aria-hidden="true">
                      {COLUMNS[column]}
                    </span>
                    <Cell column={column} task={task} atMs={atMs} />
                  </td>
                ))}
              </tr>
            )
          })}
        </tbody>
      </table>
    </div>
  )
}

function SelectPage(props: { isAll: boolean; isSome: boolean; onChange: (isOn: boolean) => void }) {
  const { isAll, isSome, onChange } = props
  const box = useRef<HTMLInputElement>(null)
  // The checkbox is indeterminate while only some rows are selected. HTML has no attribute for this state, so
  // it is set through the DOM.
  useLayoutEffect(() => {
    if (box.current) box.current.indeterminate = isSome && !isAll
  }, [isSome, isAll])
  return (
    <label class="select-box">
      <input
        ref={box}
        type="checkbox"
        checked={isAll}
        aria-label="Select all tasks of this page"
        onChange={() => onChange(!isAll)}
      />
    </label>
  )
}
