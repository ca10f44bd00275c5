// Parses filters of the task list from the URL and from the text of the filter box, and converts them to
// query parameters of the API. Pure functions.
import { STATUSES, type TaskFilter } from '../api/api-client.ts'
import { formatTimestamp } from '../parts/durations.ts'

export interface Filter {
  /**
   * Name of the filter in the URL: a query parameter of the API, `since` (a time range), or `input.` followed
   * by the path of a member of the task's input.
   */
  key: string
  value: string
}

/** Filter keys that accept several values, separated by commas. */
const MULTI_VALUE_KEYS = ['status', 'name', 'queue', 'worker']
const SINGLE_VALUE_KEYS = ['tag', 'id', 'since', 'created_after', 'created_before', 'q']
const INPUT_PREFIX = 'input.'
// Maximum number of filters on members of the task input (`input.…`) that the API accepts in one request.
const MAX_INPUT_FILTERS = 5

/** Other names of filter keys that the filter box also accepts. */
const ALIASES: Record<string, string> = {
  after: 'created_after',
  before: 'created_before',
  text: 'q',
  task: 'name',
  tags: 'tag',
}

/** Values of the filter `since`: ranges of the submission time that end now. */
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

/** Returns the filters in the URL parameters. Unknown and empty parameters are ignored. */
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

/**
 * Returns the URL parameters with a filter added. A key that accepts several values keeps its earlier ones.
 * The cursor is removed, so that the list shows the first page.
 */
export function withFilter(params: URLSearchParams, { key, value }: Filter): URLSearchParams {
  const next = new URLSearchParams(params)
  const previous = MULTI_VALUE_KEYS.includes(key) ? valuesOf(params, key) : []
  const values = [...new Set([...previous, ...(MULTI_VALUE_KEYS.includes(key) ? value.split(',') : [value])])]
  next.set(key, values.filter(Boolean).join(','))
  next.delete('cursor')
  return next
}

/**
 * Returns the URL parameters without a filter, or without one of its values. The cursor is removed, so that
 * the list shows the first page.
 */
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

/**
 * Converts filters to query parameters of the API.
 * @param nowMs current time by the server's clock, at which time ranges (`since`) end
 */
export function queryOf(filters: Filter[], nowMs: number): TaskFilter {
  const parameters = filters.map(({ key, value }) => {
    if (key !== 'since') return [key, value]
    const ms = isTimeRange(value) ? TIME_RANGES[value].ms : 0
    return ['created_after', new Date(nowMs - ms).toISOString()]
  })
  return Object.fromEntries(parameters)
}

/** Returns the name and value of a filter as the page shows them. */
export function filterText({ key, value }: Filter): { name: string; value: string } {
  if (key === 'since')
    return { name: 'submitted', value: isTimeRange(value) ? TIME_RANGES[value].label.toLowerCase() : value }
  if (key === 'created_after') return { name: 'submitted after', value: formatTimestamp(value) || value }
  if (key === 'created_before') return { name: 'submitted before', value: formatTimestamp(value) || value }
  if (key === 'q') return { name: 'text', value }
  return { name: key, value: MULTI_VALUE_KEYS.includes(key) ? value.split(',').join(' or ') : value }
}

/**
 * Parses the text of the filter box. Returns the filters, or an error message.
 * @param params current URL parameters; their filters on the input count towards the limit of the API
 */
export function readFilters(text: string, params: URLSearchParams): Filter[] | string {
  const typed = text.trim()
  if (typed === '') return []
  const tokens = typed.split(/\s+/)
  // Splits the text at spaces only if every part begins with a filter key. "status=FAILURE name=notify" has
  // two filters, "input.subject=Good morning" has one.
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

/** Returns the filter key before `=` or `:`; null if the text does not begin with a known key. */
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
  // Without a filter key, only a text with a decimal digit is taken for an id: "feedface" is a text to search
  // for, although all its letters are hexadecimal digits.
  return pattern.test(text) && (minDigits === 1 || /\d/.test(text))
}

/** Returns the submission time of a task, which its id contains: ids are UUIDv7. */
export function submittedAtOfId(id: string): string {
  return new Date(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)).toISOString()
}
