// A value that can be watched: by components with `useObservable`, by everything else with `subscribe`.
import { useLayoutEffect, useState } from 'hono/jsx/dom'

export interface Observable<T> {
  get(): T
  /** Tells the listeners unless the value is the same one. */
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

/** The value, and a new rendering whenever it changes. Not by `useSyncExternalStore`, for the reason in effect.ts. */
export function useObservable<T>(observable: Observable<T>): T {
  const [, setVersion] = useState(0)
  const value = observable.get()
  useLayoutEffect(() => {
    const renderAnew = () => setVersion((version) => version + 1)
    // By the effect of a component inside.
    if (!Object.is(observable.get(), value)) renderAnew()
    return observable.subscribe(renderAnew)
  }, [observable])
  return value
}
