// Freezes the rows of the list while the person points at them or has selected some, so that no click hits a
// row that has just moved.
import { useRef, useState } from 'hono/jsx/dom'
import type { CompactTask } from '../api/api-client.ts'
import { useEffect } from '../parts/effect.ts'

export interface FrozenRows {
  rows: CompactTask[]
  /** Whether a frozen row is no longer part of the list. */
  isRemoved: (id: string) => boolean
  /** Number of tasks at the top of the list that are hidden while the rows are frozen. */
  newCount: number
  /** Shows the current list. */
  update: () => void
}

/** @param queryKey identifies filters and page; rows are never frozen across two keys */
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
    // Ids are UUIDv7: a later task has a greater id.
    newCount: tasks.filter(({ id }) => !ids.has(id) && id > firstId).length,
    update() {
      shown.current = { queryKey, rows: [] }
      setUpdates((count) => count + 1)
    },
  }
}

// A pointer that rests longer than this no longer freezes the table: the person is watching, not clicking.
const POINTER_ACTIVE_MS = 8_000

/** Returns whether the pointer has moved recently, and a function that reports that it moves or has left. */
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
