// Root component of the page: the header, the banners, the key dialog, and the view that the URL names.
import { useEffect, useRef } from 'preact/hooks'
import { KeyRequiredBanner } from './api/access-notice.tsx'
import { ConnectionBanner } from './api/connection-banner.tsx'
import { KeyDialog } from './api/key-dialog.tsx'
import { ReloadBanner } from './api/reload-banner.tsx'
import { LazyView } from './lazy-view.tsx'
import { OverviewView } from './overview/overview-view.tsx'
import type { Page } from './page.ts'
import { PageHeader } from './page-header.tsx'
import type { Route, View } from './route.ts'
import { RunView } from './run/run-view.tsx'
import { TaskView } from './task/task-view.tsx'
import { TasksView } from './tasks/tasks-view.tsx'

export function App({ page }: { page: Page }) {
  const route = page.route.value
  const main = useRef<HTMLElement>(null)
  const isFirst = useRef(true)
  const viewKey = viewKeyOf(route)

  // When the view changes, the focus moves to the new view, so that screen readers announce it, and the page
  // scrolls to the top. Neither happens for the first view of the page, or when only filters change.
  useEffect(() => {
    document.title = `${TITLES[route.view]} · Waggle`
    if (!isFirst.current) {
      main.current?.focus({ preventScroll: true })
      scrollTo(0, 0)
    }
    isFirst.current = false
  }, [viewKey])

  return (
    <>
      <PageHeader connection={page.connection} access={page.access} view={route.view} />
      <div class="banner-place">
        <ConnectionBanner connection={page.connection} />
        <KeyRequiredBanner access={page.access} />
        <ReloadBanner reload={page.reload} />
      </div>
      <main class="view" ref={main} tabIndex={-1} aria-label={TITLES[route.view]}>
        <CurrentView key={viewKey} page={page} route={route} />
      </main>
      <KeyDialog access={page.access} />
    </>
  )
}

// These views are loaded when they are opened, so that the first load of the page stays small.
const loadSchedulesView = async () => (await import('./schedules/schedules-view.tsx')).SchedulesView
const loadScheduleView = async () => (await import('./schedules/schedule-view.tsx')).ScheduleView
const loadWorkersView = async () => (await import('./workers/workers-view.tsx')).WorkersView
const loadKeysView = async () => (await import('./workers/keys-view.tsx')).KeysView

function CurrentView({ page, route }: { page: Page; route: Route }) {
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
      return <LazyView load={loadWorkersView} page={page} route={route} />
    case 'schedules':
      return <LazyView load={loadSchedulesView} page={page} route={route} />
    case 'schedule':
      return <LazyView load={loadScheduleView} page={page} route={route} />
    case 'keys':
      return <LazyView load={loadKeysView} page={page} route={route} />
  }
}

/**
 * Returns the render key of a view: its name, plus the id in the view of a task or a schedule. It contains no
 * filters, so that a change of filters does not create the view anew.
 */
function viewKeyOf({ view, id }: Route): string {
  return view === 'task' || view === 'schedule' ? `${view} ${id}` : view
}

const TITLES: Record<View, string> = {
  overview: 'Overview',
  tasks: 'Tasks',
  task: 'Task',
  run: 'Run a task',
  schedules: 'Schedules',
  schedule: 'Schedule',
  workers: 'Workers and queues',
  keys: 'Keys of limits',
}
