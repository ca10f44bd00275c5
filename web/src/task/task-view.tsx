// One task, whole.
import type { Page } from '../page.ts'
import { useObservable } from '../parts/observable.ts'
import { type Route, shownTaskOf } from '../route.ts'
import { TaskPanel } from './task-panel.tsx'

export function TaskView({ page, route }: { page: Page; route: Route }) {
  const definitions = useObservable(page.definitions)
  return (
    <section class="panel task-panel" aria-label="Task">
      <TaskPanel page={page} id={shownTaskOf(route)} definitions={definitions ?? []} />
    </section>
  )
}
