// What was last submitted with each form: kept in this browser's local storage, so that it need not be typed again.
import { isRecord } from '../api/api-answer.ts'
import type { Submission } from '../api/api-client.ts'
import { parseJson, stringifyJson } from '../parts/exact-json.ts'

export interface LastInput extends Pick<Submission, 'input' | 'options'> {
  /** RFC 3339 */
  at: string
}

export interface LastInputs {
  /** Newest first. */
  of(name: string): LastInput[]
  remember(submission: Submission): void
  clear(name: string): void
}

const KEY = 'waggle.inputs'
const MAX_INPUTS = 5
// Local storage has room for a few million characters, for everything.
const MAX_CHARACTERS = 50_000

/** Where the storage is not allowed nothing is kept. */
export const lastInputs: LastInputs = {
  of: (name) => read()[name] ?? [],
  remember({ name, input, options }) {
    const kept = stringifyJson({ input, options })
    if (kept.length > MAX_CHARACTERS) return
    const all = read()
    const others = (all[name] ?? []).filter((known) => {
      return stringifyJson({ input: known.input, options: known.options }) !== kept
    })
    const inputs = [{ at: new Date().toISOString(), input, options }, ...others].slice(0, MAX_INPUTS)
    write({ ...all, [name]: inputs })
  },
  clear(name) {
    const { [name]: _, ...others } = read()
    write(others)
  },
}

function read(): Record<string, LastInput[]> {
  try {
    const value = parseJson(localStorage.getItem(KEY) ?? '{}')
    if (!isRecord(value)) return {}
    const entries = Object.entries(value).map(([name, inputs]) => {
      return [name, Array.isArray(inputs) ? inputs.filter(isLastInput) : []] as const
    })
    return Object.fromEntries(entries)
  } catch {
    return {}
  }
}

function write(all: Record<string, LastInput[]>) {
  try {
    localStorage.setItem(KEY, stringifyJson(all))
  } catch {
    // Storage is full or not allowed.
  }
}

function isLastInput(value: unknown): value is LastInput {
  return isRecord(value) && typeof value.at === 'string' && 'input' in value
}
