// Shows the number of selected tasks, and buttons that cancel, retry or replay all of them.
import { useEffect, useState } from 'preact/hooks'
import { MissingScopeNotice } from '../api/access-notice.tsx'
import type { TaskFilter } from '../api/api-client.ts'
import type { Page } from '../page.ts'
import { ACTION_TEXTS } from './bulk-dialog.tsx'
import type { Action } from './bulk-run.ts'

export interface SelectionBarProps {
  page: Page
  /** Number of selected tasks on this page. */
  count: number
  /** If not null, the selection is all tasks that match this filter, on all pages of the list. */
  matching: TaskFilter | null
  /** Whether to show the button that selects all matching tasks on all pages. */
  canSelectMatching: boolean
  onSelectMatching: () => void
  onAct: (action: Action) => void
  onClear: () => void
}

const ACTIONS = ['cancel', 'retry', 'replay'] as const

export function SelectionBar(props: SelectionBarProps) {
  const { page, count, matching, canSelectMatching, onSelectMatching, onAct, onClear } = props
  const isAllowed = !page.access.state.value.missingScopes.includes('operate')
  const total = useCount(page, matching)
  const isEmpty = count === 0 && matching === null
  return (
    <div class={`selection ${isEmpty ? 'is-empty' : ''}`}>
      <p class="selection-note" role="status">
        {matching !== null && total !== null
          ? `All ${total.count.toLocaleString()}${total.isDone ? '' : ' or more'} matching tasks are selected.`
          : isEmpty
            ? 'Select tasks to cancel, retry or replay them.'
            : `${count} selected.`}
      </p>
      {canSelectMatching && matching === null && (
        <button type="button" class="button is-quiet is-small" onClick={onSelectMatching}>
          Select all matching tasks
        </button>
      )}
      {!isEmpty && (
        <button type="button" class="button is-quiet is-small" onClick={onClear}>
          Clear selection
        </button>
      )}
      <fieldset class="selection-actions">
        <legend class="visually-hidden">Actions for the selected tasks</legend>
        {ACTIONS.map((action) => (
          <button
            key={action}
            type="button"
            class="button is-small"
            aria-disabled={isEmpty || !isAllowed ? 'true' : 'false'}
            onClick={() => !isEmpty && isAllowed && onAct(action)}
          >
            {ACTION_TEXTS[action].verb}
          </button>
        ))}
      </fieldset>
      <MissingScopeNotice access={page.access} scope="operate" />
    </div>
  )
}

/**
 * Counts the tasks that match the filter. The API counts a limited number of rows per request, so the count
 * grows with each response; null before the first response.
 */
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
        const response = await api.countTasks({ ...filter, ...(cursor && { cursor }) }, signal)
        if (signal.aborted || !response.ok) return
        count += response.value.count
        cursor = response.value.next_cursor
        setKnown({ count, isDone: cursor === null })
      }
    }
  }, [filter])
  return known
}
