// Panel next to the form of a definition: shows the selected task, or a placeholder.
import type { Definition } from '../api/api-client.ts'
import type { Page } from '../page.ts'
import { Comb } from '../parts/icons.tsx'
import { goTo } from '../route.ts'
import { TaskCard } from './task-card.tsx'
import { TaskPlaceholder } from './task-placeholder.tsx'

export interface TaskPanelProps {
  page: Page
  id: string | null
  definitions: Definition[]
}

export function TaskPanel({ page, id, definitions }: TaskPanelProps) {
  const cached = page.cache.byId.value.get(id ?? '')
  if (id === null) return <NoTaskSelected />
  if (cached?.kind !== 'loaded') {
    return (
      <TaskPlaceholder page={page} fault={cached?.fault} dismissText="Forget this task" onDismiss={dismiss} />
    )
  }
  return (
    <TaskCard
      key={id}
      page={page}
      loaded={cached}
      definition={definitions.find(({ name }) => name === cached.task.name)}
    />
  )

  function dismiss() {
    if (id !== null) page.remembered.remove(id)
    goTo({ view: 'run' })
  }
}

function NoTaskSelected() {
  return (
    <div class="empty">
      <Comb />
      <h2>No task selected</h2>
      <p>Submit a task, or select one from the list, to see its status, progress, attempts and result.</p>
    </div>
  )
}
