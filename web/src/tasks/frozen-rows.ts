// Freezes the rows of the task list (keeps them in place) while the person points at them or has selected
// some, so that no click hits a row that has just moved.
import { useEffect, useRef, useState } from 'preact/hooks'
import type { CompactTask } from '../api/api-client.ts'

export interface FrozenRows {
  rows: CompactTask[]
  /** Checks whether the current list no longer contains a task whose row is shown because it is frozen. */
  isRemoved: (id: string) => boolean
  /** Number of newer tasks that are not shown because the rows are frozen. */
  newCount: number
  /** Replaces the frozen rows by the current list. */
  update: () => void
}

/**
 * Returns the rows to show: the current tasks, or the earlier rows while `isFrozen` is true.
 * @param queryKey identifies filters and page of the list; a new key replaces even frozen rows
 */
export function useFrozenRows(tasks: CompactTask[], queryKey: string, isFrozen: boolean): FrozenRows {
  const shown = useRef<{ queryKey: string; rows: CompactTask[] }>({ queryKey, rows: [] })
  const [, setUpdates] = useState(0)
  const previous = shown.current
  const current = new Map(tasks.map((task) => [task.id, task]))
  const rows =
    isFrozen && previous?.queryKey === queryKey && previous.rows.length > 0
      ? previous.rows.map((row) => current.get(row.id) ?? row)
      : tasks
  shown.current = { queryKey, rows }
  const ids = new Set(rows.map(({ id }) => id))
  const firstId = rows[0]?.id ?? ''
  return {
    rows,
    isRemoved: (id) => !current.has(id),
    // Tasks with a greater id than the first row are newer, because ids are UUIDv7.
    newCount: tasks.filter(({ id }) => !ids.has(id) && id > firstId).length,
    update() {
      shown.current = { queryKey, rows: [] }
      setUpdates((count) => count + 1)
    },
  }
}

// A mouse pointer that rests longer than this no longer freezes the rows: the person is only watching.
const POINTER_ACTIVE_MS = 8_000

/**
 * Returns whether the mouse pointer has moved over the table recently, and a function to call with true when
 * it moves there and with false when it leaves.
 */
export function usePointerActivity(): [boolean, (isOver: boolean) => void] {
  const [isActive, setIsActive] = useState(false)
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null)
  useEffect(() => () => clearTimeout(timer.current ?? undefined), [])
  return [
    isActive,
    (isOver) => {
      clearTimeout(timer.current ?? undefined)
      if (isOver) timer.current = setTimeout(() => setIsActive(false), POINTER_ACTIVE_MS)
      setIsActive(isOver)
    },
  ]
}
