// The route: view, id and parameters. All of them are in the hash of the URL, so that links and the Back
// button restore them.
import { type ReadonlySignal, signal } from '@preact/signals'

/**
 * The views. `tasks` is the list of tasks, `task` the page of one task, `run` the form to submit a task,
 * `keys` the list of the keys of limits. `schedules` is the list of schedules, `schedule` the page of one of
 * them, or the form for a new one.
 */
export const VIEWS = ['overview', 'tasks', 'task', 'run', 'schedules', 'schedule', 'workers', 'keys'] as const
export type View = (typeof VIEWS)[number]

export interface Route {
  view: View
  /**
   * Id of the shown task, name of the definition in the form, or name of the schedule; null if the URL has
   * none.
   */
  id: string | null
  /** Parameters in the hash: filters and choices of the view. */
  params: URLSearchParams
}

export interface Destination {
  view: View
  id?: string | null
  params?: URLSearchParams | Record<string, string>
}

export function createRoute(): ReadonlySignal<Route> {
  const route = signal(currentRoute())
  addEventListener('hashchange', () => (route.value = currentRoute()))
  return route
}

export function hashOf({ view, id, params }: Destination): string {
  const query = String(new URLSearchParams(params))
  const path = pathOf(view, id)
  return `#/${path}${id ? `/${encodeURIComponent(id)}` : ''}${query && `?${query}`}`
}

function pathOf(view: View, id: string | null | undefined): string {
  if (view === 'overview') return ''
  if (view === 'task') return 'tasks'
  if (view === 'schedule') return id ? 'schedules' : 'new-schedule'
  return view
}

/**
 * Returns the route that the URL contains now. Components are rendered for a new URL only after the
 * `hashchange` event; until then, the route that they received as a property is older than this one.
 */
export function currentRoute(): Route {
  return routeOf(location.hash)
}

/** Changes the URL and adds a history entry. The `hashchange` event then updates the route. */
export function goTo(destination: Destination) {
  location.hash = hashOf(destination)
}

/** Like `goTo`, but without a new history entry: for choices that the Back button should skip. */
export function replaceRoute(destination: Destination) {
  location.replace(hashOf(destination))
}

function routeOf(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#?\/?/, '').split(/\?(.*)/s)
  const params = new URLSearchParams(query)
  const [first, second = ''] = path.split('/')
  if (first === 'tasks') {
    // Only a valid task id shows the page of a task, everything else shows the list: unchecked text from the
    // URL must not get into a request.
    return TASK_ID.test(second)
      ? { view: 'task', id: second.toLowerCase(), params }
      : { view: 'tasks', id: null, params }
  }
  if (first === 'run') return { view: 'run', id: DEFINITION_NAME.test(second) ? second : null, params }
  if (first === 'schedules') {
    return SCHEDULE_NAME.test(second)
      ? { view: 'schedule', id: second, params }
      : { view: 'schedules', id: null, params }
  }
  if (first === 'new-schedule') return { view: 'schedule', id: null, params }
  if (first === 'workers' || first === 'keys') return { view: first, id: null, params }
  return { view: 'overview', id: null, params }
}

const TASK_ID = /^[0-9a-f-]{36}$/i
const SCHEDULE_NAME = /^[a-z][a-z0-9_.-]{0,99}$/
const DEFINITION_NAME = /^[a-z][a-z0-9_]{0,63}$/

/** Returns the id of the task that the route shows, on its own page or next to the form; null if none. */
export function shownTaskOf({ view, id, params }: Route): string | null {
  if (view === 'task') return id
  const taskId = view === 'run' ? params.get('task') : null
  return taskId !== null && TASK_ID.test(taskId) ? taskId.toLowerCase() : null
}
