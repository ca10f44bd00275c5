// Values in the encoding of Terraform: msgpack, with unknown values as an extension of type 0.
import { decode, ExtData, encode } from '@msgpack/msgpack'
import type { Block, Type } from './schema.ts'

export type Value =
  | null
  | undefined
  | boolean
  | number
  | string
  | ExtData
  | Value[]
  | { [name: string]: Value }
export type Values = { [name: string]: Value }

const UNKNOWN = new ExtData(0, new Uint8Array([0]))

export interface Wire {
  msgpack?: Uint8Array
}

export const read = ({ msgpack }: Wire): Values | null => decode(msgpack ?? encode(null)) as Values | null // by the protocol
export const write = (value: Values | null): Wire => ({ msgpack: encode(value) })

export const isUnknown = (value: Value) => value instanceof ExtData

/** Returns the values for a plan: computed attributes that are not set are unknown. */
export function withUnknowns(block: Block, values: Values): Values {
  return mapBlock(block, values, (value, _name, { computed }) =>
    computed && (value === null || value === undefined) ? UNKNOWN : value,
  )
}

/** Returns the values after an apply: every unknown value is replaced by an arbitrary value of its type. */
export function withKnownValues(block: Block, values: Values, type: string, seed = randomSeed()): Values {
  return mapBlock(block, values, (value, name, attribute) =>
    isUnknown(value) ? exampleOf(attribute.type, name, `${type}-${seed}`) : value,
  )
}

const randomSeed = () => Math.random().toString(16).slice(2, 10)

function mapBlock(
  block: Block,
  values: Values,
  change: (value: Value, name: string, attribute: Block['attributes'][string]) => Value,
): Values {
  const result: Values = {}
  for (const [name, attribute] of Object.entries(block.attributes)) {
    result[name] = change(values[name], name, attribute) ?? null
  }
  for (const [name, nested] of Object.entries(block.blocks)) {
    const inner = values[name]
    result[name] = Array.isArray(inner)
      ? inner.map((element) => mapBlock(nested.block, element as Values, change)) // blocks are objects
      : nested.nesting === 'single' && inner && !isUnknown(inner)
        ? mapBlock(nested.block, inner as Values, change)
        : (inner ?? null)
  }
  return result
}

function exampleOf(type: Type, name: string, id: string): Value {
  if (type === 'number') return 1
  if (type === 'bool') return false
  if (typeof type === 'string') return textOf(name, id)
  const [kind, element] = type
  if (kind === 'object') {
    return Object.fromEntries(
      Object.entries(element).map(([key, inner]) => [key, exampleOf(inner as Type, key, id)]),
    )
  }
  return kind === 'map' ? {} : [exampleOf(element as Type, name, id)]
}

function textOf(name: string, id: string): string {
  if (name === 'arn' || name.endsWith('_arn'))
    return `arn:aws:offline:eu-central-1:123456789012:${id}/${name}`
  if (name.endsWith('_ip') || name === 'address') return '10.0.0.1'
  return name === 'id' ? id : `${id}.${name}`
}
