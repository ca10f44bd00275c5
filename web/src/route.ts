// What is shown, by the hash of the URL, which holds all of it: a link leads there, Back leads back.
import { createObservable, type Observable } from './parts/observable.ts'

/** `tasks` is the list, `task` one of them, `run` the form of a definition. */
export const VIEWS = ['overview', 'tasks', 'task', 'run', 'workers'] as const
export type View = (typeof VIEWS)[number]

export interface Route {
  view: View
  /** Of the task on show, or the name of the definition; null where the view has none. */
  id: string | null
  /** Filters, choices and whatever else the view wants to be part of a link. */
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

/** As it is at this moment, which what is on show may be a frame behind. */
export function currentRoute(): Route {
  return routeOf(location.hash)
}

/** The `hashchange` that follows does the rest. */
export function goTo(destination: Destination) {
  location.hash = hashOf(destination)
}

/** The same without a step for Back: for what changes while somebody types or chooses. */
export function replaceRoute(destination: Destination) {
  location.replace(hashOf(destination))
}

function routeOf(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#?\/?/, '').split(/\?(.*)/s)
  const params = new URLSearchParams(query)
  const [first, second = ''] = path.split('/')
  if (first === 'tasks') {
    // What is no id of a task goes nowhere, least of all into a request.
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

/** The task that the route shows, whether alone or beside the form that submitted it. */
export function shownTaskOf({ view, id, params }: Route): string | null {
  if (view === 'task') return id
  const beside = view === 'run' ? params.get('task') : null
  return beside !== null && TASK_ID.test(beside) ? beside.toLowerCase() : null
}
