// Tasks.
import type { Page } from '../page.ts'
import type { Route } from '../route.ts'

export function TasksView(_: { page: Page; route: Route }) {
  return (
    <section class="panel" aria-labelledby="tasks-title">
      <h1 id="tasks-title" class="panel-title">
        Tasks
      </h1>
    </section>
  )
}
