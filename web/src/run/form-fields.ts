// From a JSON Schema to the fields of a form. What a form cannot show becomes a field for JSON.
import { isRecord } from '../api/api-answer.ts'
import type { Definition, Json } from '../api/api-client.ts'

export type FieldKind =
  | 'text'
  | 'email'
  | 'url'
  | 'multiline'
  | 'number'
  | 'integer'
  | 'boolean'
  | 'choice'
  | 'json'

export interface Field {
  /** Member of the input; empty where the field stands for the whole input. */
  name: string
  kind: FieldKind
  label: string
  description: string | null
  isRequired: boolean
  /** What can be chosen, for kind `choice`. */
  choices: Json[]
  limits: Limits
  /** Text that the field begins with. */
  initial: string
  /** Text of an example; empty where there is none. */
  example: string
}

export interface Limits {
  minLength?: number
  maxLength?: number
  pattern?: string
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
  exclusiveMaximum?: number
}

export function fieldsOf({
  input_schema: schema,
  example,
}: Pick<Definition, 'input_schema' | 'example'>): Field[] {
  const examples = isRecord(example) ? example : {}
  const properties = schema.properties
  if (schema.type !== 'object' || !properties) {
    return [fieldOf('', { title: 'Input (JSON)', description: schema.description }, true, example)]
  }
  return Object.entries(properties).map(([name, node]) =>
    fieldOf(name, isRecord(node) ? node : {}, schema.required?.includes(name) ?? false, examples[name]),
  )
}

type Node = Record<string, unknown>

function fieldOf(name: string, node: Node, isRequired: boolean, example: unknown): Field {
  const kind = kindOf(node)
  return {
    name,
    kind,
    label: typeof node.title === 'string' ? node.title : wordsOf(name),
    description: typeof node.description === 'string' ? node.description : null,
    // Ticked or not, a box has a value.
    isRequired: isRequired && kind !== 'boolean',
    choices: choicesOf(node),
    limits: limitsOf(node),
    initial: textOf(kind, node.default),
    example: textOf(kind, example),
  }
}

function kindOf(node: Node): FieldKind {
  if (choicesOf(node).length > 0) return 'choice'
  const { type, format } = node
  if (type === 'number' || type === 'integer' || type === 'boolean') return type
  if (type !== 'string') return 'json'
  if (format === 'email' || format === 'multiline') return format
  return format === 'uri' ? 'url' : 'text'
}

function choicesOf(node: Node): Json[] {
  if (Array.isArray(node.enum)) return node.enum
  // The schema came as JSON, so its constant is JSON.
  return 'const' in node ? [node.const as Json] : []
}

function limitsOf(node: Node): Limits {
  const number = (keyword: string) => {
    const value = node[keyword]
    return typeof value === 'number' ? { [keyword]: value } : {}
  }
  return {
    ...number('minLength'),
    ...number('maxLength'),
    ...number('minimum'),
    ...number('maximum'),
    ...number('exclusiveMinimum'),
    ...number('exclusiveMaximum'),
    ...(typeof node.pattern === 'string' && { pattern: node.pattern }),
  }
}

/** How a value stands in a field of this kind. */
export function textOf(kind: FieldKind, value: unknown): string {
  if (value === undefined) return ''
  if (kind === 'json') return JSON.stringify(value, null, 2)
  if (kind === 'choice') return JSON.stringify(value)
  return String(value)
}

/** "message_id" and "messageId" become "Message id". */
export function wordsOf(name: string): string {
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/[_-]+/g, ' ')
    .toLowerCase()
    .trim()
  return words.charAt(0).toUpperCase() + words.slice(1)
}
