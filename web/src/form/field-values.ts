// Converts the texts of a form to the input of a task, and returns an error message for each invalid field.
import { isSafeAsDouble } from '../../../src/base/exact-json.ts'
import type { Json } from '../api/api-client.ts'
import { JsonFault, parseJson } from '../parts/exact-json.ts'
import { asGroup, asList, asText, type Draft, isBlank } from './drafts.ts'
import { type Field, isLeaf, type LeafField, type Limits, type ListField } from './schema-fields.ts'

/** Error messages by path of the field: member names and item indexes with slashes, e.g. `items/0/name`. */
export type Faults = Record<string, string>

/** Result of reading a field: its value (undefined for an empty optional field) and the error messages. */
interface Read {
  value?: Json
  faults: Faults
}

/**
 * Converts the draft of a field, including its nested fields, to a JSON value, with error messages for
 * invalid texts.
 * @param path path of the field in the form; empty for the whole input
 */
export function readField(field: Field, draft: Draft, path = ''): Read {
  if (isLeaf(field)) {
    const { value, fault } = readLeaf(field, asText(draft))
    return { value, faults: fault ? { [path]: fault } : {} }
  }
  if (!field.isRequired && isBlank(field, draft)) return { faults: {} }
  if (field.isNullable && isBlank(field, draft)) return { value: null, faults: {} }
  const parts =
    field.kind === 'group'
      ? field.members.map((member) => ({
          name: member.name,
          ...readField(member, asGroup(draft).members[member.name] ?? '', stepInto(path, member.name)),
        }))
      : asList(draft).items.map(({ name, draft: item }, index) => ({
          name,
          ...readField(itemOf(field, index), item, stepInto(path, index)),
        }))
  const faults: Faults = Object.assign({}, ...parts.map((part) => part.faults))
  if (field.kind === 'list') {
    const value = parts.map((part) => part.value ?? null)
    return { value, faults: { ...faults, ...countFaults(field, parts.length, path) } }
  }
  const members = parts.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value] as const]))
  if (field.kind === 'record')
    return { value: Object.fromEntries(members), faults: { ...faults, ...nameFaults(parts, path) } }
  return { value: { ...Object.fromEntries(members), ...asGroup(draft).others }, faults }
}

/**
 * Converts a draft to a JSON value even if fields are invalid, e.g. to continue to edit it as JSON. The value
 * of an invalid field is its text.
 */
export function readLeniently(field: Field, draft: Draft): Json | undefined {
  if (isLeaf(field)) {
    const text = asText(draft)
    const { value, fault } = readLeaf(field, text)
    return fault && text !== '' ? text : value
  }
  if (!field.isRequired && isBlank(field, draft)) return undefined
  if (field.kind === 'group') {
    const { members, others } = asGroup(draft)
    const known = field.members.flatMap((member) => {
      const value = readLeniently(member, members[member.name] ?? '')
      return value === undefined ? [] : [[member.name, value] as const]
    })
    return { ...Object.fromEntries(known), ...others }
  }
  const items = asList(draft).items.map(({ name, draft: item }) => {
    return [name, readLeniently(field.item, item) ?? ''] as const
  })
  return field.kind === 'list' ? items.map(([, value]) => value) : Object.fromEntries(items)
}

/** Returns the field of one item of a list or record, with the number of the item in its label. */
export function itemOf({ kind, item }: ListField, index: number): Field {
  return { ...item, label: `${kind === 'record' ? 'Value' : item.label} ${index + 1}` }
}

export function stepInto(path: string, step: string | number): string {
  return path === '' ? String(step) : `${path}/${step}`
}

function countFaults({ label, minItems, maxItems }: ListField, count: number, path: string): Faults {
  if (count < minItems) return { [path]: `${label}: enter at least ${minItems}.` }
  if (count > maxItems) return { [path]: `${label}: enter at most ${maxItems}.` }
  return {}
}

function nameFaults(parts: { name: string }[], path: string): Faults {
  const seen = new Set<string>()
  for (const [index, { name }] of parts.entries()) {
    if (name === '') return { [stepInto(path, index)]: 'Enter a name.' }
    if (seen.has(name)) return { [stepInto(path, index)]: `Duplicate name “${name}”.` }
    seen.add(name)
  }
  return {}
}

interface ReadText {
  value?: Json
  fault?: string
}

function readLeaf(field: LeafField, text: string): ReadText {
  if (field.kind === 'boolean') return { value: text === 'true' }
  if (text.trim() === '') {
    if (!field.isRequired) return {}
    return field.isNullable ? { value: null } : { fault: `${field.label || 'This'} is required.` }
  }
  switch (field.kind) {
    case 'number':
    case 'integer':
      return readNumber(field, text.trim())
    case 'number-or-text':
      return {
        value: /^-?\d+(\.\d+)?$/.test(text.trim()) && isSafeAsDouble(text) ? Number(text) : text.trim(),
      }
    case 'choice':
    case 'json':
      return readJson(text)
    case 'words':
      return { value: text.split(',').flatMap((word) => word.trim() || []) }
    case 'date-time':
      return readTimestamp(text)
    case 'email':
    case 'url':
      return readText(field, text.trim())
    default:
      return readText(field, text)
  }
}

function readText({ kind, limits, example }: LeafField, text: string): ReadText {
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern } = limits
  if (text.length < minLength) return { fault: `Enter at least ${minLength} characters.` }
  if (text.length > maxLength)
    return { fault: `Enter at most ${maxLength} characters; these are ${text.length}.` }
  const hint = example ? `, such as ${example}` : ''
  if (kind === 'url' && !URL.canParse(text)) return { fault: `Enter a web address${hint}.` }
  if (pattern !== undefined && !matches(pattern, text)) {
    return {
      fault:
        kind === 'email' ? `Enter an e-mail address${hint}.` : `Enter text in the required format${hint}.`,
    }
  }
  return { value: text }
}

/**
 * Checks a text against a `pattern` of the schema. Returns true if this browser does not support the pattern,
 * because the API checks the text anyway.
 */
function matches(pattern: string, text: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(text)
  } catch {
    return true
  }
}

/** Converts a local time without an offset to UTC. A time with an offset is sent unchanged. */
function readTimestamp(text: string): ReadText {
  const date = new Date(text)
  if (Number.isNaN(date.getTime())) return { fault: 'Enter a date and a time.' }
  return { value: /(Z|[+-]\d\d:\d\d)$/i.test(text) ? text : date.toISOString() }
}

function readNumber({ kind, limits, example }: LeafField, text: string): ReadText {
  const value = Number(text)
  const hint = example ? `, such as ${example}` : ''
  if (!Number.isFinite(value)) return { fault: `Enter a number${hint}.` }
  if (kind === 'integer' && !Number.isSafeInteger(value)) return { fault: `Enter a whole number${hint}.` }
  const fault = rangeFault(limits, value)
  if (fault) return { fault }
  return isSafeAsDouble(text) ? { value } : { fault: 'Enter a number of at most 15 digits.' }
}

function rangeFault(limits: Limits, value: number): string | undefined {
  const {
    minimum = -Infinity,
    maximum = Infinity,
    exclusiveMinimum = -Infinity,
    exclusiveMaximum = Infinity,
  } = limits
  if (value < minimum) return `Enter ${minimum} or more.`
  if (value > maximum) return `Enter ${maximum} or less.`
  if (value <= exclusiveMinimum) return `Enter more than ${exclusiveMinimum}.`
  if (value >= exclusiveMaximum) return `Enter less than ${exclusiveMaximum}.`
  return undefined
}

export function readJson(text: string): ReadText {
  try {
    // The type assertion is safe: parseJson returns `unknown`, but every value that it returns is JSON.
    return { value: parseJson(text) as Json }
  } catch (error) {
    return { fault: error instanceof JsonFault ? error.message : 'Enter valid JSON.' }
  }
}
