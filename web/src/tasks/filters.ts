// Filters of the list: from the URL and from what somebody types, to what the API is asked. Pure.
import type { TaskFilter } from '../api/api-client.ts'
import { formatMoment } from '../parts/durations.ts'

/** One filter, as it stands in the URL. */
export interface Filter {
  /** As in the URL: a parameter of the API, `since`, or `input.` with a path. */
  key: string
  value: string
}

export const STATUSES = ['PENDING', 'STARTED', 'RETRY', 'SUCCESS', 'FAILURE', 'CANCELLED'] as const

/** Keys that may have several values, with commas between. */
const SEVERAL = ['status', 'name', 'queue', 'worker']
const ONE = ['tag', 'id', 'since', 'created_after', 'created_before', 'q']
const INPUT = 'input.'
// As many as the API takes.
const MOST_INPUTS = 5

/** What people call them who do not know the API. */
const OTHER_NAMES: Record<string, string> = {
  after: 'created_after',
  before: 'created_before',
  text: 'q',
  task: 'name',
  tags: 'tag',
}

/** Spans of time before now. */
export const SPANS = {
  '15m': { label: 'Last 15 minutes', ms: 15 * 60_000 },
  '1h': { label: 'Last hour', ms: 3_600_000 },
  '6h': { label: 'Last 6 hours', ms: 6 * 3_600_000 },
  '24h': { label: 'Last 24 hours', ms: 24 * 3_600_000 },
  '7d': { label: 'Last 7 days', ms: 7 * 24 * 3_600_000 },
} as const

export function isSpan(text: string): text is keyof typeof SPANS {
  return Object.hasOwn(SPANS, text)
}

/** Those of the URL that this version knows. */
export function filtersOf(params: URLSearchParams): Filter[] {
  const seen = new Map<string, string>()
  for (const [key, value] of params) if (isKey(key) && value !== '') seen.set(key, value)
  return [...seen].map(([key, value]) => ({ key, value }))
}

export function isKey(key: string): boolean {
  return SEVERAL.includes(key) || ONE.includes(key) || (key.startsWith(INPUT) && key.length > INPUT.length)
}

/** With one more filter, from the newest task on. */
export function withFilter(params: URLSearchParams, { key, value }: Filter): URLSearchParams {
  const next = new URLSearchParams(params)
  const before = SEVERAL.includes(key) ? valuesOf(params, key) : []
  const values = [...new Set([...before, ...(SEVERAL.includes(key) ? value.split(',') : [value])])]
  next.set(key, values.filter(Boolean).join(','))
  next.delete('cursor')
  return next
}

/** Without this filter, or without this one of its values. */
export function withoutFilter(params: URLSearchParams, key: string, value?: string): URLSearchParams {
  const next = new URLSearchParams(params)
  const left = value === undefined ? [] : valuesOf(params, key).filter((one) => one !== value)
  if (left.length > 0) next.set(key, left.join(','))
  else next.delete(key)
  next.delete('cursor')
  return next
}

export function valuesOf(params: URLSearchParams, key: string): string[] {
  return params.get(key)?.split(',').filter(Boolean) ?? []
}

/** What the API is asked. @param nowMs of the server, from which spans are counted */
export function queryOf(filters: Filter[], nowMs: number): TaskFilter {
  const named = filters.map(({ key, value }) => {
    if (key !== 'since') return [key, value]
    const ms = isSpan(value) ? SPANS[value].ms : 0
    return ['created_after', new Date(nowMs - ms).toISOString()]
  })
  return Object.fromEntries(named)
}

/** How a filter is said. */
export function wordsOfFilter({ key, value }: Filter): { name: string; value: string } {
  if (key === 'since')
    return { name: 'submitted', value: isSpan(value) ? SPANS[value].label.toLowerCase() : value }
  if (key === 'created_after') return { name: 'submitted after', value: formatMoment(value) || value }
  if (key === 'created_before') return { name: 'submitted before', value: formatMoment(value) || value }
  if (key === 'q') return { name: 'text', value }
  return { name: key, value: SEVERAL.includes(key) ? value.split(',').join(' or ') : value }
}

/** What was typed, as filters; or what is wrong with it, in words. */
export function readFilters(text: string, params: URLSearchParams): Filter[] | string {
  const typed = text.trim()
  if (typed === '') return []
  const tokens = typed.split(/\s+/)
  // "status=FAILURE name=notify", but also "input.subject=Good morning".
  const texts = tokens.length > 1 && tokens.every((token) => keyOf(token)) ? tokens : [typed]
  const filters = texts.map((one) => readFilter(one))
  const wrong = filters.find((filter) => typeof filter === 'string')
  if (wrong !== undefined) return wrong
  const read = filters.filter((filter) => typeof filter !== 'string')
  const inputs = new Set(
    [...params.keys(), ...read.map(({ key }) => key)].filter((key) => key.startsWith(INPUT)),
  )
  return inputs.size > MOST_INPUTS
    ? `No more than ${MOST_INPUTS} fields of the input can be asked for at once.`
    : read
}

function readFilter(text: string): Filter | string {
  const key = keyOf(text)
  if (key === null) return looksLikeId(text) ? { key: 'id', value: text } : { key: 'q', value: text }
  return checked({ key, value: text.slice(text.search(/[=:]/) + 1).trim() })
}

/** The key before `=` or `:`, if it is one. */
export function keyOf(text: string): string | null {
  const [, name = ''] = /^([^\s=:]+)[=:]/.exec(text) ?? []
  const key = OTHER_NAMES[name.toLowerCase()] ?? (isKey(name.toLowerCase()) ? name.toLowerCase() : name)
  return isKey(key) ? (name.startsWith(INPUT) ? name : key) : null
}

function checked({ key, value }: Filter): Filter | string {
  if (value === '') return `Say what “${key}” should be.`
  if (key === 'status') {
    const given = value.toUpperCase().split(',')
    const unknown = given.find((one) => !STATUSES.some((status) => status === one))
    return unknown === undefined ? { key, value: given.join(',') } : `There is no status “${unknown}”.`
  }
  if (key === 'id' && !looksLikeId(value, 1)) return 'An id has digits from 0 to f.'
  if (key === 'since' && !isSpan(value)) return `Since can be ${Object.keys(SPANS).join(', ')}.`
  if (key === 'created_after' || key === 'created_before') {
    const at = new Date(value)
    return Number.isNaN(at.getTime())
      ? 'Write a time like 2030-01-31T12:00.'
      : { key, value: at.toISOString() }
  }
  return { key, value }
}

function looksLikeId(text: string, least = 8): boolean {
  return (
    new RegExp(`^[0-9a-f][0-9a-f-]{${least - 1},35}$`, 'i').test(text) && (least === 1 || /\d/.test(text))
  )
}

/** When a task with this id was submitted: ids are UUIDv7. */
export function momentOfId(id: string): string {
  return new Date(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)).toISOString()
}
