// Sensitive fields: members of inputs and results whose schema has `.meta({ sensitive: true })`. The API shows
// `MASK` in their place, unless the client may see them and asks for them.
import { z } from 'zod'
import type { TaskDefinition } from './define.ts'

/** What is shown in the place of a sensitive value. */
export const MASK = '[sensitive]'

/** Where the sensitive values of a schema are. A schema that contains itself has a mask that contains itself. */
export interface Mask {
  /** The whole value is sensitive. */
  isWhole: boolean
  /** Masks of members with these names. */
  members: Map<string, Mask>
  /** Masks of single elements of an array. */
  positions: Mask[]
  /** Masks of all other members and elements. */
  rest?: Mask
  /** Masks of the same value: of the alternatives of a union, or of an inner schema. */
  also: Mask[]
}

export interface Masks {
  /** Undefined if the input has no sensitive fields. */
  input?: Mask
  result?: Mask
}

const masksOfDefinitions = new WeakMap<object, Masks>()

/** Returns the masks of a definition, which are found once. */
export function masksOf(definition: Pick<TaskDefinition, 'input' | 'output'>): Masks {
  const known = masksOfDefinitions.get(definition)
  if (known) return known
  const masks = { input: maskOf(definition.input), result: maskOf(definition.output) }
  masksOfDefinitions.set(definition, masks)
  return masks
}

/** Returns the mask of a schema; undefined if it has no sensitive fields. */
export function maskOf(schema: z.core.$ZodType): Mask | undefined {
  const mask = walk(schema, new Map())
  return isAnySensitive(mask) ? mask : undefined
}

/** Returns a copy of the value with `MASK` in place of each sensitive value. Absent values and null stay. */
export function masked(mask: Mask, value: unknown): unknown {
  if (value === undefined || value === null) return value
  if (mask.isWhole) return MASK
  const own = typeof value === 'object' ? maskedInside(mask, value) : value
  return mask.also.reduce((result, other) => (result === MASK ? MASK : masked(other, result)), own)
}

/** Whether the value at this path is sensitive, is inside of a sensitive value, or contains one. */
export function isSensitiveAt(mask: Mask, [name, ...rest]: string[]): boolean {
  if (mask.isWhole || name === undefined) return isAnySensitive(mask)
  const inner = [mask.members.get(name) ?? mask.positions[Number(name)] ?? mask.rest]
  return (
    inner.some((each) => each && isSensitiveAt(each, rest)) ||
    mask.also.some((other) => isSensitiveAt(other, [name, ...rest]))
  )
}

/** Returns the paths at which the value has `MASK` in place of a sensitive value. */
export function pathsOfMasks(mask: Mask, value: unknown, path: string[] = []): string[][] {
  if (value === MASK) return isSensitiveAt(mask, []) ? [path] : []
  const own =
    typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([name, member]) => {
          const inner = mask.isWhole ? mask : innerOf(mask, value, name)
          return inner ? pathsOfMasks(inner, member, [...path, name]) : []
        })
      : []
  return [...own, ...mask.also.flatMap((other) => pathsOfMasks(other, value, path))]
}

/** Writes the mark of a sensitive schema in JSON Schema: the keyword `x-sensitive`. */
export function markSensitive(jsonSchema: { [keyword: string]: unknown }): void {
  if (!('sensitive' in jsonSchema)) return
  if (jsonSchema.sensitive === true) jsonSchema['x-sensitive'] = true
  delete jsonSchema.sensitive
}

function maskedInside(mask: Mask, value: object): unknown {
  if (Array.isArray(value))
    return value.map((element, index) => {
      const inner = mask.positions[index] ?? mask.rest
      return inner ? masked(inner, element) : element
    })
  // A number that JSON cannot hold as a double (exact-json.ts) is an object without members.
  if (mask.members.size === 0 && mask.rest === undefined) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => {
      const inner = innerOf(mask, value, name)
      return [name, inner ? masked(inner, member) : member]
    }),
  )
}

function innerOf(mask: Mask, value: object, name: string): Mask | undefined {
  return (Array.isArray(value) ? mask.positions[Number(name)] : mask.members.get(name)) ?? mask.rest
}

function walk(given: z.core.$ZodType, visited: Map<z.core.$ZodType, Mask>): Mask {
  const known = visited.get(given)
  if (known) return known
  const mask: Mask = { isWhole: isMarked(given), members: new Map(), positions: [], also: [] }
  visited.set(given, mask)
  const { def } = (given as z.core.$ZodTypes)._zod
  const inner = (schema: z.core.$ZodType) => walk(schema, visited)
  switch (def.type) {
    case 'object':
      for (const [name, member] of Object.entries(def.shape)) mask.members.set(name, inner(member))
      if (def.catchall) mask.rest = inner(def.catchall)
      break
    case 'record':
    case 'map':
      mask.rest = inner(def.valueType)
      break
    case 'array':
      mask.rest = inner(def.element)
      break
    case 'set':
      mask.rest = inner(def.valueType)
      break
    case 'tuple':
      mask.positions = def.items.map(inner)
      if (def.rest) mask.rest = inner(def.rest)
      break
    case 'union':
      mask.also = def.options.map(inner)
      break
    case 'intersection':
      mask.also = [inner(def.left), inner(def.right)]
      break
    case 'pipe':
      mask.also = [inner(def.in), inner(def.out)]
      // Where a transform puts the sensitive parts of its input is not known.
      if (def.out._zod.def.type === 'transform' && maskOf(def.in)) mask.isWhole = true
      break
    case 'lazy':
      mask.also = [inner(def.getter())]
      break
    default:
      if ('innerType' in def) mask.also = [inner(def.innerType)]
  }
  return mask
}

function isMarked(schema: z.core.$ZodType): boolean {
  return z.globalRegistry.get(schema)?.sensitive === true
}

function isAnySensitive(mask: Mask, visited = new Set<Mask>()): boolean {
  if (visited.has(mask)) return false
  visited.add(mask)
  if (mask.isWhole) return true
  const inner = [...mask.members.values(), ...mask.positions, ...mask.also, ...(mask.rest ? [mask.rest] : [])]
  return inner.some((each) => isAnySensitive(each, visited))
}
