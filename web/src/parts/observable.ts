// A value with listeners. Components use `useObservable`, other code uses `subscribe`.
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
 * Returns the value and renders the component again whenever it changes. Replaces `useSyncExternalStore`, which
 * subscribes in Hono's `useEffect`; effect.ts says why that is avoided.
 */
export function useObservable<T>(observable: Observable<T>): T {
  const [, setVersion] = useState(0)
  const value = observable.get()
  useLayoutEffect(() => {
    const renderAgain = () => setVersion((version) => version + 1)
    // The effect of a child component can change the value before this subscription starts.
    if (!Object.is(observable.get(), value)) renderAgain()
    return observable.subscribe(renderAgain)
  }, [observable])
  return value
}
