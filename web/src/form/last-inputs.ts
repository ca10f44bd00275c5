// Keeps the last inputs of each form in local storage, so that they can be submitted again.
import type { Submission } from '../api/api-client.ts'
import { isRecord, stringifyJson } from '../parts/exact-json.ts'
import { readStored, writeStored } from '../parts/local-storage.ts'

export interface LastInput extends Pick<Submission, 'input' | 'options'> {
  /** When the input was submitted, in RFC 3339. */
  at: string
}

export interface LastInputs {
  /** Returns the stored inputs of a definition, newest first. */
  of(name: string): LastInput[]
  remember(submission: Submission): void
  clear(name: string): void
}

const KEY = 'waggle.inputs'
const MAX_INPUTS = 5
// Longer inputs are not stored, because local storage holds only a few million characters in total.
const MAX_CHARACTERS = 50_000

/** The last inputs in local storage. If the browser disables local storage, no inputs are kept. */
export const lastInputs: LastInputs = {
  of: (name) => storedInputs()[name] ?? [],
  remember({ name, input, options }) {
    const text = stringifyJson({ input, options })
    if (text.length > MAX_CHARACTERS) return
    const all = storedInputs()
    const others = (all[name] ?? []).filter((known) => {
      return stringifyJson({ input: known.input, options: known.options }) !== text
    })
    const inputs = [{ at: new Date().toISOString(), input, options }, ...others].slice(0, MAX_INPUTS)
    writeStored(KEY, { ...all, [name]: inputs })
  },
  clear(name) {
    const { [name]: _, ...others } = storedInputs()
    writeStored(KEY, others)
  },
}

function storedInputs(): Record<string, LastInput[]> {
  const value = readStored(KEY)
  if (!isRecord(value)) return {}
  const entries = Object.entries(value).map(([name, inputs]) => {
    return [name, Array.isArray(inputs) ? inputs.filter(isLastInput) : []] as const
  })
  return Object.fromEntries(entries)
}

function isLastInput(value: unknown): value is LastInput {
  return isRecord(value) && typeof value.at === 'string' && 'input' in value
}
