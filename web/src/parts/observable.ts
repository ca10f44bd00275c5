// A value that calls listeners when it changes. Components use `useObservable`, other code uses `subscribe`.
import { useLayoutEffect, useState } from 'hono/jsx/dom'

export interface Observable<T> {
  get(): T
  /** Sets the value and calls the listeners, unless the value is the same (`Object.is`). */
  set(next: T): void
  /** @returns a function that ends the subscription */
  subscribe(listener: () => void): () => void
}

export function createObservable<T>(initial: T): Observable<T> {
  let value = initial
  const listeners = new Set<() => void>()
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return
      value = next
      for (const listener of [...listeners]) listener()
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/**
 * Returns the value and renders the component again whenever it changes. Replaces Hono's
 * `useSyncExternalStore`, which subscribes with a delay of one frame, even if the component was removed
 * meanwhile.
 */
export function useObservable<T>(observable: Observable<T>): T {
  const [, setVersion] = useState(0)
  const value = observable.get()
  useLayoutEffect(() => {
    const renderAgain = () => setVersion((version) => version + 1)
    // Renders again if the value changed between the rendering and the start of this subscription, which
    // would miss the change. Effects of child components run in this time and can change the value.
    if (!Object.is(observable.get(), value)) renderAgain()
    return observable.subscribe(renderAgain)
  }, [observable])
  return value
}
