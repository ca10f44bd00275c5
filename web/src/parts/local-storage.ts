// Reads and writes JSON values in local storage. All tabs of the browser share them, and they are kept after
// a reload.
import { parseJson, stringifyJson } from './exact-json.ts'

/**
 * Returns a stored value, which the caller must check; undefined if there is none, if it is not JSON, or if
 * storage is disabled.
 */
export function readStored(key: string): unknown {
  try {
    const text = localStorage.getItem(key)
    return text === null ? undefined : parseJson(text)
  } catch {
    return undefined
  }
}

/** Stores a value. If local storage is disabled or full, the value is not stored, without an error. */
export function writeStored(key: string, value: unknown): void {
  try {
    localStorage.setItem(key, stringifyJson(value))
  } catch {
    // Ignore the error, because all views work without stored values.
  }
}
