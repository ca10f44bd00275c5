// The page: what can be submitted on one side, what was submitted on the other.
import { useEffect, useRef } from 'hono/jsx/dom'
import { ConnectionBanner } from './connection-banner.tsx'
import { useObservable } from './observable.ts'
import type { Page } from './page.ts'
import { PageHeader } from './page-header.tsx'
import { RememberedList } from './remembered-list.tsx'
import { TaskComposer } from './task-composer.tsx'
import { TaskPanel } from './task-panel.tsx'

export function App({ page }: { page: Page }) {
  const route = useObservable(page.route)
  const definitions = useObservable(page.definitions)
  const shownId = route.view === 'task' ? route.id : null
  const panel = useRef<HTMLElement>(null)
  const isFirst = useRef(true)

  // On a phone the task stands below the form: whoever asks for it is taken there.
  useEffect(() => {
    const block = matchMedia('(min-width: 62rem)').matches ? 'nearest' : 'start'
    if (!isFirst.current && shownId) panel.current?.scrollIntoView({ block })
    isFirst.current = false
  }, [shownId])

  return (
    <>
      <PageHeader connection={page.connection} />
      <ConnectionBanner connection={page.connection} />
      <main class="layout">
        <TaskComposer definitions={definitions} submit={page.submit} />
        <section class="panel task-panel" aria-label="Task" ref={panel}>
          <TaskPanel page={page} id={shownId} definitions={definitions ?? []} />
        </section>
        <RememberedList remembered={page.remembered} definitions={definitions ?? []} shownId={shownId} />
      </main>
    </>
  )
}
