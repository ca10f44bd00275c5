// Follows signals outside of components.
import type { ReadonlySignal } from '@preact/signals'

/**
 * Calls the listener with each later value of the signal. `signal.subscribe` also calls its listener with the
 * present value, at once.
 * @returns a function that ends the subscription
 */
export function onChange<T>(signal: ReadonlySignal<T>, listener: (value: T) => void): () => void {
  let isFirst = true
  return signal.subscribe((value) => {
    if (isFirst) isFirst = false
    else listener(value)
  })
}
