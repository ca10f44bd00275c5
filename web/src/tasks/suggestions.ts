// Computes the suggestions that the filter box shows below the typed text. Pure functions.
import { type Definition, STATUSES, type Worker } from '../api/api-client.ts'
import { isTimeRange, keyOf, TIME_RANGES } from './filters.ts'

export interface Suggestion {
  /** The suggested text: a filter key with `=`, or a whole filter. */
  text: string
  /** Explanation that is shown next to the text; null if the text needs none. */
  hint: string | null
  /** Whether the text is a complete filter, with a value after `=`. */
  isWhole: boolean
}

export interface Known {
  definitions: Definition[]
  queues: string[]
  workers: Worker[]
}

const KEYS = [
  { key: 'status', hint: 'status of the task' },
  { key: 'name', hint: 'name of the definition' },
  { key: 'queue', hint: 'name of the queue' },
  { key: 'tag', hint: 'tag of the task' },
  { key: 'worker', hint: 'id of the worker' },
  { key: 'id', hint: 'first digits of the id' },
  { key: 'since', hint: 'time range of the submission' },
  { key: 'after', hint: 'submitted at or after this time' },
  { key: 'before', hint: 'submitted before this time' },
  { key: 'text', hint: 'in name, tags, input, result or error' },
]

// At most 8 suggestions are shown; typing narrows them.
const MAX_SUGGESTIONS = 8

export function suggestionsFor(typed: string, known: Known): Suggestion[] {
  const text = typed.trimStart()
  const key = keyOf(text)
  if (key !== null) {
    const begun = text.slice(text.search(/[=:]/) + 1).toLowerCase()
    return valuesOf(key, known)
      .filter(({ value, hint }) => contains(`${value} ${hint ?? ''}`, begun))
      .slice(0, MAX_SUGGESTIONS)
      .map(({ value, hint }) => ({ text: `${key}=${value}`, hint, isWhole: true }))
  }
  const begun = text.trim().toLowerCase()
  const keys = [...KEYS, ...inputKeys(known.definitions)]
    .filter(({ key: name, hint }) => contains(name, begun) || (begun.length > 2 && contains(hint, begun)))
    .map(({ key: name, hint }) => ({ text: `${name}=`, hint, isWhole: false }))
  if (begun === '') return keys.slice(0, MAX_SUGGESTIONS)
  const values = ['status', 'name', 'queue']
    .flatMap((name) => valuesOf(name, known).map((value) => ({ name, ...value })))
    .filter(({ value, hint }) => contains(`${value} ${hint ?? ''}`, begun))
    .map(({ name, value, hint }) => ({ text: `${name}=${value}`, hint, isWhole: true }))
  return [...values, ...keys].slice(0, MAX_SUGGESTIONS)
}

function valuesOf(
  key: string,
  { definitions, queues, workers }: Known,
): { value: string; hint: string | null }[] {
  const plain = (value: string) => ({ value, hint: null })
  switch (key) {
    case 'status':
      return STATUSES.map(plain)
    case 'name':
      return definitions.map(({ name, title }) => ({ value: name, hint: title }))
    case 'queue':
      return queues.map(plain)
    case 'worker':
      return workers.map(({ id, host, pid }) => ({ value: id, hint: `${host}, process ${pid}` }))
    case 'since':
      return Object.keys(TIME_RANGES).map((value) => ({
        value,
        hint: isTimeRange(value) ? TIME_RANGES[value].label : null,
      }))
    default:
      return []
  }
}

/**
 * Returns a filter key for every top-level member of the definitions' inputs, e.g. `input.email`, and a hint
 * with the definitions that have this member: their titles, or their number if there are more than two.
 */
function inputKeys(definitions: Definition[]): { key: string; hint: string }[] {
  const titles = new Map<string, string[]>()
  for (const { title, input_schema: schema } of definitions) {
    for (const name of Object.keys(schema.properties ?? {})) {
      titles.set(name, [...(titles.get(name) ?? []), title])
    }
  }
  return [...titles].map(([name, owners]) => ({
    key: `input.${name}`,
    hint: owners.length > 2 ? `of ${owners.length} definitions` : owners.join(', '),
  }))
}

function contains(text: string, part: string): boolean {
  return text.toLowerCase().includes(part)
}
