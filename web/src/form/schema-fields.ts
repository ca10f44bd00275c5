// Derives the fields of a form from a JSON Schema. A part of the schema without a suitable field becomes a
// JSON field: a text box with JSON.
import type { Definition, Json } from '../api/api-client.ts'
import { isRecord, stringifyJson } from '../parts/exact-json.ts'

export type LeafKind =
  | 'text'
  | 'email'
  | 'url'
  | 'multiline'
  | 'date'
  | 'date-time'
  | 'number'
  | 'integer'
  | 'boolean'
  | 'choice'
  /**
   * Text box for a number or a string. Text such as 42 or -1.5 is submitted as a number. All other text is
   * submitted as a string, also a large number with more digits than a double can keep.
   */
  | 'number-or-text'
  /** Text box for a list of strings, separated by commas. */
  | 'words'
  | 'json'

interface FieldBase {
  /** Name of the object's member that this field edits; empty for the whole input and for a list item. */
  name: string
  label: string
  description: string | null
  isRequired: boolean
  /** Whether the schema allows null. A required field that is empty then has the value null. */
  isNullable: boolean
}

export interface LeafField extends FieldBase {
  kind: LeafKind
  /** Values that a field of kind `choice` offers; empty for other kinds. */
  choices: Json[]
  limits: Limits
  /** Text of the field in a new form: the default of the schema, or empty. */
  initial: string
  /** Example of a valid text, for the placeholder and error messages; empty if there is none. */
  example: string
}

/** Field for an object whose members are listed in the schema. */
export interface GroupField extends FieldBase {
  kind: 'group'
  members: Field[]
}

/**
 * Field for a list, or for a record (an object with arbitrary member names), whose items all have one schema.
 */
export interface ListField extends FieldBase {
  kind: 'list' | 'record'
  item: Field
  minItems: number
  maxItems: number
}

export type Field = LeafField | GroupField | ListField

export interface Limits {
  minLength?: number
  maxLength?: number
  pattern?: string
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
  exclusiveMaximum?: number
}

/** Returns the field for the whole input of a definition: usually a group with a field for each member. */
export function fieldOfInput({
  input_schema: schema,
  example,
}: Pick<Definition, 'input_schema' | 'example'>): Field {
  const field = fieldOf({ name: '', node: schema, isRequired: true, example, level: 0 })
  return field.kind === 'group' ? field : { ...field, label: 'Input (JSON)' }
}

/** Whether the input of a definition has fields that are marked as sensitive. */
export function hasSensitiveFields({ input_schema: schema }: Pick<Definition, 'input_schema'>): boolean {
  return stringifyJson(schema).includes('"x-sensitive":true')
}

type Node = Record<string, unknown>

interface Place {
  name: string
  node: unknown
  isRequired: boolean
  example: unknown
  /** Nesting level of the field; 0 for the whole input. */
  level: number
}

// Deepest nesting level of groups and lists. Deeper parts become JSON fields, which are easier to read.
const MAX_LEVELS = 4

function fieldOf({ name, node: given, isRequired, example, level }: Place): Field {
  const { node, isNullable } = unwrapped(isRecord(given) ? given : {})
  const base: FieldBase = {
    name,
    label: textAt(node, 'title') ?? wordsOf(name),
    description: textAt(node, 'description'),
    isRequired,
    isNullable,
  }
  const members = level <= MAX_LEVELS ? membersOf(node, example, level) : null
  if (members) return { ...base, kind: 'group', members }
  const items = level <= MAX_LEVELS ? itemsOf(node) : null
  if (items) {
    const firstExample = items.kind === 'list' && Array.isArray(example) ? example[0] : undefined
    const item = fieldOf({
      name: '',
      node: items.node,
      isRequired: true,
      example: firstExample,
      level: level + 1,
    })
    // A list or record whose items would be JSON fields becomes one JSON field, which is no harder to edit.
    if (item.kind !== 'json' && (items.kind === 'list' || isLeaf(item))) {
      const { minItems, maxItems } = items
      return { ...base, kind: items.kind, item: { ...item, label: item.label || 'Item' }, minItems, maxItems }
    }
  }
  const kind = leafKindOf(node, isRequired)
  return {
    ...base,
    kind,
    // A checkbox is never marked as required, because it always has a value.
    isRequired: isRequired && kind !== 'boolean',
    choices: choicesOf(node, kind),
    limits: limitsOf(node),
    initial: textOf(kind, node.default),
    example: textOf(kind, example),
  }
}

export function isLeaf(field: Field): field is LeafField {
  return field.kind !== 'group' && field.kind !== 'list' && field.kind !== 'record'
}

/**
 * Splits a union of one schema and null (`anyOf` or `oneOf`) into that schema and the fact that null is
 * allowed.
 */
function unwrapped(node: Node): { node: Node; isNullable: boolean } {
  const variants = Array.isArray(node.anyOf) ? node.anyOf : Array.isArray(node.oneOf) ? node.oneOf : []
  const [only, ...others] = variants.filter((variant) => !isRecord(variant) || variant.type !== 'null')
  if (variants.length === 0 || others.length > 0 || !isRecord(only)) return { node, isNullable: false }
  const { anyOf: _any, oneOf: _one, ...outer } = node
  return { node: { ...only, ...outer }, isNullable: variants.length > 1 }
}

/** Returns the fields of the members if the schema is an object that lists its members; otherwise null. */
function membersOf(node: Node, example: unknown, level: number): Field[] | null {
  const { type, properties, required } = node
  if (type !== 'object' || !isRecord(properties) || isRecord(node.additionalProperties)) return null
  const examples = isRecord(example) ? example : {}
  return Object.entries(properties).map(([name, member]) =>
    fieldOf({
      name,
      node: member,
      isRequired: Array.isArray(required) && required.includes(name),
      example: examples[name],
      level: level + 1,
    }),
  )
}

/**
 * Returns the schema of the items and the allowed number of items if the schema is a list or a record (an
 * object with arbitrary member names) whose items all have one schema; otherwise null.
 */
function itemsOf(node: Node) {
  const { type, items, additionalProperties } = node
  if (type === 'array' && isRecord(items) && !('prefixItems' in node)) {
    const minItems = numberAt(node, 'minItems') ?? 0
    return { kind: 'list' as const, node: items, minItems, maxItems: numberAt(node, 'maxItems') ?? Infinity }
  }
  if (type === 'object' && isRecord(additionalProperties) && !node.properties)
    return { kind: 'record' as const, node: additionalProperties, minItems: 0, maxItems: Infinity }
  return null
}

function leafKindOf(node: Node, isRequired: boolean): LeafKind {
  if (Array.isArray(node.enum) || 'const' in node) return 'choice'
  const { type, format } = node
  // An optional boolean without a default can be true, false or missing. A checkbox has only two states, so
  // the field is a choice.
  if (type === 'boolean') return isRequired || 'default' in node ? 'boolean' : 'choice'
  if (type === 'number' || type === 'integer') return type
  if (isNumberOrText(node)) return 'number-or-text'
  if (type !== 'string') return 'json'
  if (format === 'email' || format === 'multiline' || format === 'date' || format === 'date-time')
    return format
  return format === 'uri' ? 'url' : 'text'
}

/** Checks whether the schema is a union of number and string. One text box edits both, without quotes. */
function isNumberOrText({ anyOf }: Node): boolean {
  const types = Array.isArray(anyOf) ? anyOf.map((variant) => (isRecord(variant) ? variant.type : null)) : []
  const isSimple = types.every((type) => type === 'string' || type === 'number' || type === 'integer')
  return types.includes('string') && types.length > 1 && isSimple
}

function choicesOf(node: Node, kind: LeafKind): Json[] {
  if (kind !== 'choice') return []
  if (Array.isArray(node.enum)) return node.enum
  // The schema was parsed from JSON, so the value of its keyword `const` is a JSON value, as asserted here.
  return 'const' in node ? [node.const as Json] : [true, false]
}

function limitsOf(node: Node): Limits {
  const names = ['minLength', 'maxLength', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum']
  const numbers = names.flatMap((name) => {
    const value = numberAt(node, name)
    return value === undefined ? [] : [[name, value]]
  })
  return {
    ...Object.fromEntries(numbers),
    ...(typeof node.pattern === 'string' && { pattern: node.pattern }),
  }
}

function numberAt(node: Node, keyword: string): number | undefined {
  const value = node[keyword]
  return typeof value === 'number' ? value : undefined
}

function textAt(node: Node, keyword: string): string | null {
  const value = node[keyword]
  return typeof value === 'string' ? value : null
}

/** Returns the text with which a field of this kind shows a JSON value; empty for undefined. */
export function textOf(kind: LeafKind, value: unknown): string {
  if (value === undefined) return ''
  if (kind === 'json') return stringifyJson(value, 2)
  if (kind === 'choice') return stringifyJson(value)
  if (value === null) return ''
  if (kind === 'words' && Array.isArray(value)) return value.join(', ')
  return typeof value === 'object' ? stringifyJson(value) : String(value)
}

/** Makes a label of a member name: "message_id" and "messageId" become "Message id". */
export function wordsOf(name: string): string {
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/[_-]+/g, ' ')
    .toLowerCase()
    .trim()
  return words.charAt(0).toUpperCase() + words.slice(1)
}
