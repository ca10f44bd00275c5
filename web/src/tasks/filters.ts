// Parses filters from the URL and from typed text, and converts them to parameters of the API. Pure.
import { STATUSES, type TaskFilter } from '../api/api-client.ts'
import { formatTimestamp } from '../parts/durations.ts'

export interface Filter {
  /** Name in the URL: a query parameter of the API, `since`, or `input.` and a path. */
  key: string
  value: string
}

/** Keys that accept several values, separated by commas. */
const MULTI_VALUE_KEYS = ['status', 'name', 'queue', 'worker']
const SINGLE_VALUE_KEYS = ['tag', 'id', 'since', 'created_after', 'created_before', 'q']
const INPUT_PREFIX = 'input.'
// The API's limit.
const MAX_INPUT_FILTERS = 5

/** Shorter names that the text box also accepts. */
const ALIASES: Record<string, string> = {
  after: 'created_after',
  before: 'created_before',
  text: 'q',
  task: 'name',
  tags: 'tag',
}

/** Values of `since`: time ranges that end now. */
export const TIME_RANGES = {
  '15m': { label: 'Last 15 minutes', ms: 15 * 60_000 },
  '1h': { label: 'Last hour', ms: 3_600_000 },
  '6h': { label: 'Last 6 hours', ms: 6 * 3_600_000 },
  '24h': { label: 'Last 24 hours', ms: 24 * 3_600_000 },
  '7d': { label: 'Last 7 days', ms: 7 * 24 * 3_600_000 },
} as const

export function isTimeRange(text: string): text is keyof typeof TIME_RANGES {
  return Object.hasOwn(TIME_RANGES, text)
}

/** Returns the filters in the URL. Unknown parameters are ignored. */
export function filtersOf(params: URLSearchParams): Filter[] {
  const seen = new Map<string, string>()
  for (const [key, value] of params) if (isKey(key) && value !== '') seen.set(key, value)
  return [...seen].map(([key, value]) => ({ key, value }))
}

export function isKey(key: string): boolean {
  return (
    MULTI_VALUE_KEYS.includes(key) ||
    SINGLE_VALUE_KEYS.includes(key) ||
    (key.startsWith(INPUT_PREFIX) && key.length > INPUT_PREFIX.length)
  )
}

/** Adds a filter and returns to the first page. */
export function withFilter(params: URLSearchParams, { key, value }: Filter): URLSearchParams {
  const next = new URLSearchParams(params)
  const previous = MULTI_VALUE_KEYS.includes(key) ? valuesOf(params, key) : []
  const values = [...new Set([...previous, ...(MULTI_VALUE_KEYS.includes(key) ? value.split(',') : [value])])]
  next.set(key, values.filter(Boolean).join(','))
  next.delete('cursor')
  return next
}

/** Removes a filter, or one of its values, and returns to the first page. */
export function withoutFilter(params: URLSearchParams, key: string, value?: string): URLSearchParams {
  const next = new URLSearchParams(params)
  const remaining = value === undefined ? [] : valuesOf(params, key).filter((other) => other !== value)
  if (remaining.length > 0) next.set(key, remaining.join(','))
  else next.delete(key)
  next.delete('cursor')
  return next
}

export function valuesOf(params: URLSearchParams, key: string): string[] {
  return params.get(key)?.split(',').filter(Boolean) ?? []
}

/** Returns query parameters for the API. @param nowMs time of the server's clock, at which time ranges end */
export function queryOf(filters: Filter[], nowMs: number): TaskFilter {
  const parameters = filters.map(({ key, value }) => {
    if (key !== 'since') return [key, value]
    const ms = isTimeRange(value) ? TIME_RANGES[value].ms : 0
    return ['created_after', new Date(nowMs - ms).toISOString()]
  })
  return Object.fromEntries(parameters)
}

/** Returns a filter as text for people. */
export function filterText({ key, value }: Filter): { name: string; value: string } {
  if (key === 'since')
    return { name: 'submitted', value: isTimeRange(value) ? TIME_RANGES[value].label.toLowerCase() : value }
  if (key === 'created_after') return { name: 'submitted after', value: formatTimestamp(value) || value }
  if (key === 'created_before') return { name: 'submitted before', value: formatTimestamp(value) || value }
  if (key === 'q') return { name: 'text', value }
  return { name: key, value: MULTI_VALUE_KEYS.includes(key) ? value.split(',').join(' or ') : value }
}

/** Parses typed text. Returns the filters, or an error message. */
export function readFilters(text: string, params: URLSearchParams): Filter[] | string {
  const typed = text.trim()
  if (typed === '') return []
  const tokens = typed.split(/\s+/)
  // "status=FAILURE name=notify" has two filters, "input.subject=Good morning" has one: the text is split at
  // spaces only if every part begins with a key.
  const texts = tokens.length > 1 && tokens.every((token) => keyOf(token)) ? tokens : [typed]
  const filters = texts.map(readFilter)
  const error = filters.find((filter) => typeof filter === 'string')
  if (error !== undefined) return error
  const read = filters.filter((filter) => typeof filter !== 'string')
  const inputs = new Set(
    [...params.keys(), ...read.map(({ key }) => key)].filter((key) => key.startsWith(INPUT_PREFIX)),
  )
  return inputs.size > MAX_INPUT_FILTERS ? `At most ${MAX_INPUT_FILTERS} input filters can be set.` : read
}

function readFilter(text: string): Filter | string {
  const key = keyOf(text)
  if (key === null) return isIdPrefix(text) ? { key: 'id', value: text } : { key: 'q', value: text }
  return checked({ key, value: text.slice(text.search(/[=:]/) + 1).trim() })
}

/** Returns the filter key before `=` or `:`; null if the text does not begin with one. */
export function keyOf(text: string): string | null {
  const [, name = ''] = /^([^\s=:]+)[=:]/.exec(text) ?? []
  const key = ALIASES[name.toLowerCase()] ?? (isKey(name.toLowerCase()) ? name.toLowerCase() : name)
  return isKey(key) ? (name.startsWith(INPUT_PREFIX) ? name : key) : null
}

function checked({ key, value }: Filter): Filter | string {
  if (value === '') return `Enter a value for “${key}”.`
  if (key === 'status') {
    const given = value.toUpperCase().split(',')
    const unknown = given.find((name) => !STATUSES.some((status) => status === name))
    return unknown === undefined ? { key, value: given.join(',') } : `There is no status “${unknown}”.`
  }
  if (key === 'id' && !isIdPrefix(value, 1)) return 'An id has hexadecimal digits and hyphens only.'
  if (key === 'since' && !isTimeRange(value)) return `“since” accepts ${Object.keys(TIME_RANGES).join(', ')}.`
  if (key === 'created_after' || key === 'created_before') {
    const at = new Date(value)
    return Number.isNaN(at.getTime())
      ? 'Enter a time such as 2030-01-31T12:00.'
      : { key, value: at.toISOString() }
  }
  return { key, value }
}

function isIdPrefix(text: string, minDigits = 8): boolean {
  const pattern = new RegExp(`^[0-9a-f][0-9a-f-]{${minDigits - 1},35}$`, 'i')
  // Without a key before it, a word such as "feedface" is text and not an id.
  return pattern.test(text) && (minDigits === 1 || /\d/.test(text))
}

/** Returns the submission time that a task id contains: ids are UUIDv7. */
export function submittedAtOfId(id: string): string {
  return new Date(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)).toISOString()
}
