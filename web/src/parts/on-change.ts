// Follows signals outside of components.
import type { ReadonlySignal } from '@preact/signals'

/**
 * Calls the listener after every change of the signal. `subscribe` of a signal also calls it at once.
 * @returns a function that ends the subscription
 */
export function onChange<T>(signal: ReadonlySignal<T>, listener: (value: T) => void): () => void {
  let isFirst = true
  return signal.subscribe((value) => {
    if (isFirst) isFirst = false
    else listener(value)
  })
}
