// Values in the local storage of the browser, as JSON. All tabs share them, and they are kept after a reload.
import { parseJson, stringifyJson } from './exact-json.ts'

/** Returns a stored value, which the caller must check; undefined without one, or if storage is disabled. */
export function readStored(key: string): unknown {
  try {
    const text = localStorage.getItem(key)
    return text === null ? undefined : parseJson(text)
  } catch {
    return undefined
  }
}

/** Stores a value. Does nothing if local storage is disabled or full: the value is lost with the page. */
export function writeStored(key: string, value: unknown): void {
  try {
    localStorage.setItem(key, stringifyJson(value))
  } catch {
    // Views work without stored values.
  }
}
