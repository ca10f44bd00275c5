// What the filter box offers while somebody types. Pure.
import type { Definition, Worker } from '../api/api-client.ts'
import { isSpan, keyOf, SPANS, STATUSES } from './filters.ts'

export interface Suggestion {
  /** What is in the box when it is chosen; with a value behind `=` it is a whole filter. */
  text: string
  /** What that means, where it is not clear. */
  hint: string | null
  isWhole: boolean
}

export interface Known {
  definitions: Definition[]
  queues: string[]
  workers: Worker[]
}

const KEYS = [
  { key: 'status', hint: 'how it is' },
  { key: 'name', hint: 'which task' },
  { key: 'queue', hint: 'where it waits' },
  { key: 'tag', hint: 'a label' },
  { key: 'worker', hint: 'who ran it' },
  { key: 'id', hint: 'how its id begins' },
  { key: 'since', hint: 'when it was submitted' },
  { key: 'after', hint: 'submitted at this time or later' },
  { key: 'before', hint: 'submitted before this time' },
  { key: 'text', hint: 'anywhere in it' },
]

// As many as are looked through; whoever types on finds the others.
const MOST = 8

export function suggestionsFor(typed: string, known: Known): Suggestion[] {
  const text = typed.trimStart()
  const key = keyOf(text)
  if (key !== null) {
    const begun = text.slice(text.search(/[=:]/) + 1).toLowerCase()
    return valuesOf(key, known)
      .filter(({ value, hint }) => isLike(`${value} ${hint ?? ''}`, begun))
      .slice(0, MOST)
      .map(({ value, hint }) => ({ text: `${key}=${value}`, hint, isWhole: true }))
  }
  const begun = text.trim().toLowerCase()
  const keys = [...KEYS, ...inputKeys(known.definitions)]
    .filter(({ key: name, hint }) => isLike(name, begun) || (begun.length > 2 && isLike(hint, begun)))
    .map(({ key: name, hint }) => ({ text: `${name}=`, hint, isWhole: false }))
  if (begun === '') return keys.slice(0, MOST)
  const values = ['status', 'name', 'queue']
    .flatMap((name) => valuesOf(name, known).map((value) => ({ name, ...value })))
    .filter(({ value, hint }) => isLike(`${value} ${hint ?? ''}`, begun))
    .map(({ name, value, hint }) => ({ text: `${name}=${value}`, hint, isWhole: true }))
  return [...values, ...keys].slice(0, MOST)
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
      return Object.keys(SPANS).map((value) => ({ value, hint: isSpan(value) ? SPANS[value].label : null }))
    default:
      return []
  }
}

/** Members of inputs, each once. */
function inputKeys(definitions: Definition[]): { key: string; hint: string }[] {
  const titles = new Map<string, string[]>()
  for (const { title, input_schema: schema } of definitions) {
    for (const name of Object.keys(schema.properties ?? {})) {
      titles.set(name, [...(titles.get(name) ?? []), title])
    }
  }
  return [...titles].map(([name, of]) => ({
    key: `input.${name}`,
    hint: of.length > 2 ? `of ${of.length} tasks` : of.join(', '),
  }))
}

function isLike(text: string, begun: string): boolean {
  return text.toLowerCase().includes(begun)
}
