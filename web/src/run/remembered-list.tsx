// List of the tasks submitted from this browser. Removals from the list can be undone.
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Definition } from '../api/api-client.ts'
import { formatTimestamp } from '../parts/durations.ts'
import { Icon } from '../parts/icons.tsx'
import { StatusBadge } from '../parts/status-badge.tsx'
import { goTo, hashOf } from '../route.ts'
import type { RememberedTask, RememberedTasks } from '../state/remembered-tasks.ts'
import { titleOf } from '../task/task-summary.ts'

export interface RememberedListProps {
  remembered: RememberedTasks
  definitions: Definition[]
  shownId: string | null
}

export function RememberedList({ remembered, definitions, shownId }: RememberedListProps) {
  const tasks = remembered.list.value
  const [removed, setRemoved] = useState<RememberedTask[]>([])
  const undoButton = useRef<HTMLButtonElement>(null)
  // After a removal, the focus moves to the button "Undo": the button that had it was removed from the page.
  useEffect(() => undoButton.current?.focus(), [removed])

  function remove(task: RememberedTask) {
    setRemoved([task])
    remembered.remove(task.id)
    if (task.id === shownId) goTo({ view: 'run' })
  }

  function clear() {
    setRemoved(tasks)
    remembered.clear()
    if (tasks.some(({ id }) => id === shownId)) goTo({ view: 'run' })
  }

  function undo() {
    remembered.restore(removed)
    setRemoved([])
  }

  return (
    <section class="panel remembered" aria-labelledby="remembered-title">
      <div class="remembered-head">
        <h2 id="remembered-title" class="panel-title">
          Submitted from this browser
        </h2>
        {tasks.length > 0 && (
          <button type="button" class="button is-quiet is-small" aria-label="Clear the list" onClick={clear}>
            Clear
          </button>
        )}
      </div>
      <p class="remembered-undo" role="status">
        {removed.length > 0 && (
          <>
            {removed.length === 1 ? '1 task was' : `${removed.length} tasks were`} removed from the list.{' '}
            <button ref={undoButton} type="button" class="button is-quiet is-small" onClick={undo}>
              Undo
            </button>
          </>
        )}
      </p>
      {tasks.length === 0 && <p class="quiet">No tasks submitted yet. The list is kept after a reload.</p>}
      <ul class="remembered-list">
        {tasks.map((task) => (
          <Row
            key={task.id}
            task={task}
            title={titleOf(task, definitions)}
            isShown={task.id === shownId}
            onRemove={remove}
          />
        ))}
      </ul>
    </section>
  )
}

interface RowProps {
  task: RememberedTask
  title: string
  isShown: boolean
  onRemove: (task: RememberedTask) => void
}

function Row({ task, title, isShown, onRemove }: RowProps) {
  const time = formatTimestamp(task.submittedAt)
  return (
    <li class={`row ${isShown ? 'is-shown' : ''}`}>
      <a
        class="row-link"
        href={hashOf({ view: 'run', id: task.name, params: { task: task.id } })}
        aria-current={isShown ? 'true' : undefined}
      >
        <StatusBadge status={task.status} />
        <span class="row-title">{title}</span>
        <time class="row-time" datetime={task.submittedAt}>
          {time}
        </time>
      </a>
      <button
        type="button"
        class="icon-button"
        aria-label={`Remove ${title}, ${time}, from the list`}
        onClick={() => onRemove(task)}
      >
        <Icon name="remove" />
      </button>
    </li>
  )
}
