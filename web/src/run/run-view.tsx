// View with the form that submits a task, the selected task, and the tasks submitted from this browser.
import { useEffect, useRef } from 'preact/hooks'
import type { Page } from '../page.ts'
import { type Route, replaceRoute, shownTaskOf } from '../route.ts'
import { TaskPanel } from '../task/task-panel.tsx'
import { RememberedList } from './remembered-list.tsx'
import { TaskComposer } from './task-composer.tsx'

export function RunView({ page, route }: { page: Page; route: Route }) {
  const definitions = page.definitions.value
  const shownId = shownTaskOf(route)
  const panel = useRef<HTMLElement>(null)
  const isFirst = useRef(true)

  // When another task is selected, scroll to it, because on a narrow screen it is below the form.
  useEffect(() => {
    const block = matchMedia('(min-width: 62rem)').matches ? 'nearest' : 'start'
    if (!isFirst.current && shownId) panel.current?.scrollIntoView({ block })
    isFirst.current = false
  }, [shownId])

  return (
    <div class="layout">
      <TaskComposer
        definitions={definitions}
        chosenName={route.id}
        onChoose={(name) => replaceRoute({ view: 'run', id: name, params: route.params })}
        access={page.access}
        submit={page.submit}
      />
      <section class="panel task-panel" aria-label="Task" ref={panel}>
        <TaskPanel page={page} id={shownId} definitions={definitions ?? []} />
      </section>
      <RememberedList remembered={page.remembered} definitions={definitions ?? []} shownId={shownId} />
    </div>
  )
}
