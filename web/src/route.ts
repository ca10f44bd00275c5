// What is shown, by the hash of the URL: a link leads there, Back leads back.
import { createObservable, type Observable } from './observable.ts'

export type Route = { view: 'home' } | { view: 'task'; id: string }

export function createRoute(): Observable<Route> {
  const route = createObservable(routeOf(location.hash))
  addEventListener('hashchange', () => route.set(routeOf(location.hash)))
  return route
}

export function hashOf(route: Route): string {
  return route.view === 'task' ? `#/tasks/${route.id}` : '#/'
}

/** The `hashchange` that follows does the rest. */
export function goTo(route: Route) {
  location.hash = hashOf(route)
}

function routeOf(hash: string): Route {
  // What is no id of a task goes nowhere, least of all into a request.
  const id = /^#\/tasks\/([0-9a-f-]{36})$/i.exec(hash)?.[1]
  return id ? { view: 'task', id: id.toLowerCase() } : { view: 'home' }
}
