// Rows that stay where they are while somebody is about to click on one of them.
import { useRef, useState } from 'hono/jsx/dom'
import type { CompactTask } from '../api/api-client.ts'
import { useEffect } from '../parts/effect.ts'

export interface HeldRows {
  rows: CompactTask[]
  isGone: (id: string) => boolean
  /** How many tasks came in the meantime. */
  newer: number
  /** Shows the list as it is now. */
  release: () => void
}

/** @param question another one is another list, which nothing holds back */
export function useHeldRows(tasks: CompactTask[], question: string, isHeld: boolean): HeldRows {
  const shown = useRef<{ question: string; rows: CompactTask[] }>({ question, rows: [] })
  const [, setReleases] = useState(0)
  const before = shown.current
  const current = new Map(tasks.map((task) => [task.id, task]))
  const rows =
    isHeld && before?.question === question && before.rows.length > 0
      ? before.rows.map((row) => current.get(row.id) ?? row)
      : tasks
  shown.current = { question, rows }
  const ids = new Set(rows.map(({ id }) => id))
  const first = rows[0]?.id ?? ''
  return {
    rows,
    isGone: (id) => !current.has(id),
    newer: tasks.filter(({ id }) => !ids.has(id) && id > first).length,
    release() {
      shown.current = { question, rows: [] }
      setReleases((count) => count + 1)
    },
  }
}

// Who has put the mouse down somewhere and looks on wants to see what is new.
const HELD_MS = 8_000

/** True from the last movement of the pointer on, for some seconds. */
export function useHold(): [boolean, (isHeld: boolean) => void] {
  const [isHeld, setIsHeld] = useState(false)
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null)
  useEffect(() => () => clearTimeout(timer.current ?? undefined), [])
  return [
    isHeld,
    (next) => {
      clearTimeout(timer.current ?? undefined)
      if (next) timer.current = setTimeout(() => setIsHeld(false), HELD_MS)
      setIsHeld(next)
    },
  ]
}
