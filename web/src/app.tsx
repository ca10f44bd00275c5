// The page: what can be submitted on one side, what was submitted on the other.
import { useEffect, useRef } from 'hono/jsx/dom'
import { ShutOutBanner } from './access-notice.tsx'
import { ConnectionBanner } from './connection-banner.tsx'
import { KeyDialog } from './key-dialog.tsx'
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
      <PageHeader connection={page.connection} access={page.access} />
      <div class="banner-place">
        <ConnectionBanner connection={page.connection} />
        <ShutOutBanner access={page.access} />
      </div>
      <main class="layout">
        <TaskComposer definitions={definitions} access={page.access} submit={page.submit} />
        <section class="panel task-panel" aria-label="Task" ref={panel}>
          <TaskPanel page={page} id={shownId} definitions={definitions ?? []} />
        </section>
        <RememberedList remembered={page.remembered} definitions={definitions ?? []} shownId={shownId} />
      </main>
      <KeyDialog access={page.access} />
    </>
  )
}
