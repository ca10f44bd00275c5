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
    // Render again if the value has changed since the rendering: the effect of a child component can change
    // it before this subscription starts.
    if (!Object.is(observable.get(), value)) renderAgain()
    return observable.subscribe(renderAgain)
  }, [observable])
  return value
}
