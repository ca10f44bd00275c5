// Overview.
import type { Page } from '../page.ts'
import type { Route } from '../route.ts'

export function OverviewView(_: { page: Page; route: Route }) {
  return (
    <section class="panel" aria-labelledby="overview-title">
      <h1 id="overview-title" class="panel-title">
        Overview
      </h1>
    </section>
  )
}
