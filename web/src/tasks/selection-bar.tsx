// What is selected, and what can be done with all of it.
import { useState } from 'hono/jsx/dom'
import { LackingNotice } from '../api/access-notice.tsx'
import type { TaskFilter } from '../api/api-client.ts'
import type { Page } from '../page.ts'
import { useEffect } from '../parts/effect.ts'
import { useObservable } from '../parts/observable.ts'
import { ACTION_WORDS } from './bulk-dialog.tsx'
import type { Action } from './bulk-run.ts'

export interface SelectionBarProps {
  page: Page
  /** How many of this page are selected. */
  count: number
  /** All that match are meant, also those of other pages; null where only some of this page are. */
  matching: TaskFilter | null
  /** Whether there is more to be meant than this page. */
  canMeanAll: boolean
  onMeanAll: () => void
  onAct: (action: Action) => void
  onClear: () => void
}

const ACTIONS = ['cancel', 'retry', 'replay'] as const

export function SelectionBar(props: SelectionBarProps) {
  const { page, count, matching, canMeanAll, onMeanAll, onAct, onClear } = props
  const isAllowed = !useObservable(page.access.state).lacking.includes('operate')
  const all = useCount(page, matching)
  const isNothing = count === 0 && matching === null
  return (
    <div class={`selection ${isNothing ? 'is-empty' : ''}`}>
      <p class="selection-said" role="status">
        {matching !== null && all !== null
          ? `All ${all.count.toLocaleString()}${all.isDone ? '' : ' and more …'} that match are selected.`
          : isNothing
            ? 'Select tasks to cancel, retry or replay them.'
            : `${count} selected.`}
      </p>
      {canMeanAll && matching === null && (
        <button type="button" class="button is-quiet is-small" onClick={onMeanAll}>
          Select all that match
        </button>
      )}
      {!isNothing && (
        <button type="button" class="button is-quiet is-small" onClick={onClear}>
          Clear selection
        </button>
      )}
      <fieldset class="selection-actions">
        <legend class="visually-hidden">With the selected tasks</legend>
        {ACTIONS.map((action) => (
          <button
            key={action}
            type="button"
            class="button is-small"
            aria-disabled={isNothing || !isAllowed ? 'true' : 'false'}
            onClick={() => !isNothing && isAllowed && onAct(action)}
          >
            {ACTION_WORDS[action].verb}
          </button>
        ))}
      </fieldset>
      <LackingNotice access={page.access} scope="operate" />
    </div>
  )
}

/** How many match, added up while it is counted; null until something is known. */
function useCount({ api }: Page, filter: TaskFilter | null): { count: number; isDone: boolean } | null {
  const [known, setKnown] = useState<{ count: number; isDone: boolean } | null>(null)
  useEffect(() => {
    if (filter === null) return setKnown(null)
    const leaving = new AbortController()
    void countAll(leaving.signal)
    return () => leaving.abort()

    async function countAll(signal: AbortSignal) {
      let count = 0
      for (let cursor: string | null = ''; cursor !== null; ) {
        const answer = await api.countTasks({ ...filter, ...(cursor && { cursor }) }, signal)
        if (signal.aborted || !answer.ok) return
        count += answer.value.count
        cursor = answer.value.next_cursor
        setKnown({ count, isDone: cursor === null })
      }
    }
  }, [filter])
  return known
}
