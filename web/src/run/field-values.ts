// From the texts in a form to the input of a task, with a message for each field that is not right yet.
import type { FieldFault } from '../api/api-answer.ts'
import type { Json } from '../api/api-client.ts'
import type { Field, Limits } from './form-fields.ts'

/** The texts of a form by field name; a box that is ticked holds "true". */
export type Draft = Record<string, string>
/** Messages by field name. */
export type Faults = Record<string, string>

/** The text of a field, also of one that nobody has touched. */
export function draftText(field: Field, draft: Draft): string {
  return draft[field.name] ?? field.initial
}

export function exampleDraft(fields: Field[]): Draft {
  return Object.fromEntries(fields.map((field) => [field.name, field.example || field.initial]))
}

export function readForm(fields: Field[], draft: Draft): { input: Json; faults: Faults } {
  const read = fields.map((field) => ({ field, ...readField(field, draftText(field, draft)) }))
  const faults = Object.fromEntries(read.flatMap(({ field, fault }) => (fault ? [[field.name, fault]] : [])))
  const whole = read.find(({ field }) => field.name === '')
  if (whole) return { input: whole.value ?? null, faults }
  const members = read.flatMap(({ field, value }) =>
    value === undefined ? [] : [[field.name, value] as const],
  )
  return { input: Object.fromEntries(members), faults }
}

/** What the text stands for: a value, nothing (an optional field left empty), or a fault. */
export function readField(field: Field, text: string): { value?: Json; fault?: string } {
  if (field.kind === 'boolean') return { value: text === 'true' }
  if (text.trim() === '') return field.isRequired ? { fault: `${field.label} is required.` } : {}
  switch (field.kind) {
    case 'number':
    case 'integer':
      return readNumber(field, text)
    case 'choice':
    case 'json':
      return readJson(text)
    case 'email':
    case 'url':
      return readText(field, text.trim())
    default:
      return readText(field, text)
  }
}

function readText({ kind, limits, example }: Field, text: string): { value?: Json; fault?: string } {
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern } = limits
  if (text.length < minLength) return { fault: `Enter at least ${minLength} characters.` }
  if (text.length > maxLength)
    return { fault: `Enter at most ${maxLength} characters; these are ${text.length}.` }
  const hint = example ? `, such as ${example}` : ''
  if (kind === 'url' && !URL.canParse(text)) return { fault: `Enter a web address${hint}.` }
  if (pattern !== undefined && !matches(pattern, text)) {
    return {
      fault: kind === 'email' ? `Enter an e-mail address${hint}.` : `Enter a text of the right form${hint}.`,
    }
  }
  return { value: text }
}

/** A pattern that this browser does not understand is left to the API. */
function matches(pattern: string, text: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(text)
  } catch {
    return true
  }
}

function readNumber({ kind, limits, example }: Field, text: string): { value?: Json; fault?: string } {
  const value = Number(text)
  const hint = example ? `, such as ${example}` : ''
  if (!Number.isFinite(value)) return { fault: `Enter a number${hint}.` }
  if (kind === 'integer' && !Number.isSafeInteger(value)) return { fault: `Enter a whole number${hint}.` }
  const fault = rangeFault(limits, value)
  return fault ? { fault } : { value }
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

function readJson(text: string): { value?: Json; fault?: string } {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return { fault: 'Enter valid JSON: texts in double quotes, no comma after the last member.' }
  }
}

/** Puts the API's faults at the fields they speak of; `rest` is what belongs to none of them. */
export function faultsByField(fields: Field[], errors: FieldFault[]): { faults: Faults; rest: string[] } {
  const faults: Faults = {}
  const rest: string[] = []
  for (const { pointer, detail } of errors) {
    const [, root, name, ...inner] = pointer.split('/').map(unescapePointer)
    const field = fields.find((known) => known.name === name || known.name === '')
    const text = inner.length > 0 ? `${inner.join('/')}: ${detail}` : detail
    if (root !== 'input' || !field) rest.push(text)
    else faults[field.name] = faults[field.name] ? `${faults[field.name]} ${text}` : text
  }
  return { faults, rest }
}

/** RFC 6901, sections 4 and 6. */
function unescapePointer(step: string): string {
  const text = step.replaceAll('~1', '/').replaceAll('~0', '~')
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
