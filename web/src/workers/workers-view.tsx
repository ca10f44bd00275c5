// Workers and queues.
import type { Page } from '../page.ts'
import type { Route } from '../route.ts'

export function WorkersView(_: { page: Page; route: Route }) {
  return (
    <section class="panel" aria-labelledby="workers-title">
      <h1 id="workers-title" class="panel-title">
        Workers and queues
      </h1>
    </section>
  )
}
