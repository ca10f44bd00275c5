// The route: view, id and parameters. All are in the hash of the URL, so that links and Back restore them.
import { createObservable, type Observable } from './parts/observable.ts'

/** `tasks` is the list of tasks, `task` the page of one task, `run` the form of a definition. */
export const VIEWS = ['overview', 'tasks', 'task', 'run', 'workers'] as const
export type View = (typeof VIEWS)[number]

export interface Route {
  view: View
  /** Id of the task, or name of the definition; null if the view has neither. */
  id: string | null
  /** Filters and choices of the view. */
  params: URLSearchParams
}

export interface Destination {
  view: View
  id?: string | null
  params?: URLSearchParams | Record<string, string>
}

export function createRoute(): Observable<Route> {
  const route = createObservable(currentRoute())
  addEventListener('hashchange', () => route.set(currentRoute()))
  return route
}

export function hashOf({ view, id, params }: Destination): string {
  const query = String(new URLSearchParams(params))
  const path = { overview: '', tasks: 'tasks', task: 'tasks', run: 'run', workers: 'workers' }[view]
  return `#/${path}${id ? `/${encodeURIComponent(id)}` : ''}${query && `?${query}`}`
}

/** The route of the current URL. The rendered route can be one frame older. */
export function currentRoute(): Route {
  return routeOf(location.hash)
}

/** Changes the URL. The `hashchange` event then updates the route. */
export function goTo(destination: Destination) {
  location.hash = hashOf(destination)
}

/** Like `goTo`, but without a new history entry: used while a person types or changes choices. */
export function replaceRoute(destination: Destination) {
  location.replace(hashOf(destination))
}

function routeOf(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#?\/?/, '').split(/\?(.*)/s)
  const params = new URLSearchParams(query)
  const [first, second = ''] = path.split('/')
  if (first === 'tasks') {
    // Anything but a task id shows the list. Unchecked text from the URL must not get into a request.
    return TASK_ID.test(second)
      ? { view: 'task', id: second.toLowerCase(), params }
      : { view: 'tasks', id: null, params }
  }
  if (first === 'run') return { view: 'run', id: DEFINITION_NAME.test(second) ? second : null, params }
  if (first === 'workers') return { view: 'workers', id: null, params }
  return { view: 'overview', id: null, params }
}

const TASK_ID = /^[0-9a-f-]{36}$/i
const DEFINITION_NAME = /^[a-z][a-z0-9_]{0,63}$/

/** Id of the task that the route shows: on its own page, or next to the form that submitted it. */
export function shownTaskOf({ view, id, params }: Route): string | null {
  if (view === 'task') return id
  const taskId = view === 'run' ? params.get('task') : null
  return taskId !== null && TASK_ID.test(taskId) ? taskId.toLowerCase() : null
}
