// The task on show, or why there is none.
import { Locked } from '../api/access-notice.tsx'
import type { Definition } from '../api/api-client.ts'
import type { Page } from '../page.ts'
import { Comb } from '../parts/icons.tsx'
import { useObservable } from '../parts/observable.ts'
import { goTo } from '../route.ts'
import { TaskCard } from './task-card.tsx'
import { LoadingTask, RefusedTask } from './task-states.tsx'

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
  if (!live) return <LoadingTask isUp={connection.isUp} />
  if (live.kind === 'refused') {
    const goneText = 'Forget this task'
    return <RefusedTask fault={live.fault} access={page.access} goneText={goneText} onDismiss={dismiss} />
  }
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
