// The page: what is always there, and the view that the URL asks for.
import { useRef } from 'hono/jsx/dom'
import { ShutOutBanner } from './api/access-notice.tsx'
import { ConnectionBanner } from './api/connection-banner.tsx'
import { KeyDialog } from './api/key-dialog.tsx'
import { OverviewView } from './overview/overview-view.tsx'
import type { Page } from './page.ts'
import { PageHeader } from './page-header.tsx'
import { useEffect } from './parts/effect.ts'
import { useObservable } from './parts/observable.ts'
import type { Route, View } from './route.ts'
import { RunView } from './run/run-view.tsx'
import { TaskView } from './task/task-view.tsx'
import { TasksView } from './tasks/tasks-view.tsx'
import { WorkersView } from './workers/workers-view.tsx'

export function App({ page }: { page: Page }) {
  const route = useObservable(page.route)
  const main = useRef<HTMLElement>(null)
  const isFirst = useRef(true)
  const place = placeOf(route)

  // Whoever goes elsewhere is told where they are, and begins at its top. Filters are not elsewhere.
  useEffect(() => {
    document.title = `${TITLES[route.view]} · Waggle`
    if (!isFirst.current) {
      main.current?.focus({ preventScroll: true })
      scrollTo(0, 0)
    }
    isFirst.current = false
  }, [place])

  return (
    <>
      <PageHeader connection={page.connection} access={page.access} view={route.view} />
      <div class="banner-place">
        <ConnectionBanner connection={page.connection} />
        <ShutOutBanner access={page.access} />
      </div>
      <main class="view" ref={main} tabIndex={-1} aria-label={TITLES[route.view]}>
        <ViewOf key={place} page={page} route={route} />
      </main>
      <KeyDialog access={page.access} />
    </>
  )
}

function ViewOf({ page, route }: { page: Page; route: Route }) {
  switch (route.view) {
    case 'overview':
      return <OverviewView page={page} route={route} />
    case 'tasks':
      return <TasksView page={page} route={route} />
    case 'task':
      return <TaskView page={page} route={route} />
    case 'run':
      return <RunView page={page} route={route} />
    case 'workers':
      return <WorkersView page={page} />
  }
}

/** What is the same place as long as only filters and choices change. */
function placeOf({ view, id }: Route): string {
  return view === 'task' ? `task ${id}` : view
}

const TITLES: Record<View, string> = {
  overview: 'Overview',
  tasks: 'Tasks',
  task: 'Task',
  run: 'Run a task',
  workers: 'Workers and queues',
}
