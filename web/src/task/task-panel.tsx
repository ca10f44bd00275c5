// The task on show, or why there is none.
import type { Access } from '../api/access.ts'
import { LackingNotice, Locked } from '../api/access-notice.tsx'
import type { ApiFault } from '../api/api-answer.ts'
import type { Definition } from '../api/api-client.ts'
import type { Page } from '../page.ts'
import { Comb, HexagonIcon } from '../parts/icons.tsx'
import { useObservable } from '../parts/observable.ts'
import { goTo } from '../route.ts'
import { TaskCard } from './task-card.tsx'

export interface TaskPanelProps {
  page: Page
  id: string | null
  definitions: Definition[]
}

export function TaskPanel({ page, id, definitions }: TaskPanelProps) {
  const live = useObservable(page.live.byId).get(id ?? '')
  const connection = useObservable(page.connection.state)
  const access = useObservable(page.access.state)
  if (id === null) return <NothingShown />
  if (!live && access.isShutOut)
    return <Locked access={page.access} what="With a key you see here how this task is." />
  if (!live) return <Loading isUp={connection.isUp} />
  if (live.kind === 'refused') return <Refused fault={live.fault} access={page.access} onDismiss={dismiss} />
  return (
    <TaskCard
      key={id}
      live={live}
      definition={definitions.find(({ name }) => name === live.task.name)}
      isUp={connection.isUp}
      access={page.access}
      nowMs={page.nowMs}
      cancel={() => page.cancel(id)}
      retry={() => page.retry(id)}
    />
  )

  function dismiss() {
    if (id !== null) page.remembered.remove(id)
    goTo({ view: 'run' })
  }
}

function NothingShown() {
  return (
    <div class="empty">
      <Comb />
      <h2>No task on show</h2>
      <p>
        Submit one, or choose one from the list. Here you see it wait, run, and end: its progress, its
        attempts and what came of it.
      </p>
    </div>
  )
}

function Loading({ isUp }: { isUp: boolean }) {
  return (
    <div
      class="skeleton"
      role="status"
      aria-label={isUp ? 'Asking the API for this task' : 'Waiting for the API'}
    >
      <span class="skeleton-line is-short" />
      <span class="skeleton-line" />
      <span class="skeleton-line is-tall" />
    </div>
  )
}

interface RefusedProps {
  fault: ApiFault
  access: Access
  onDismiss: () => void
}

function Refused({ fault, access, onDismiss }: RefusedProps) {
  const isGone = fault.status === 404
  return (
    <div class="empty tone-warn" role="status">
      <HexagonIcon sign="question" />
      <h2>{isGone ? 'The API does not know this task' : 'This task cannot be shown'}</h2>
      {fault.status === 403 ? (
        <LackingNotice access={access} scope="read" />
      ) : (
        <p>
          {isGone
            ? 'It may have been deleted, or the database was emptied since it was submitted.'
            : fault.detail}
        </p>
      )}
      <button type="button" class="button" onClick={onDismiss}>
        {isGone ? 'Forget this task' : 'Close'}
      </button>
    </div>
  )
}
