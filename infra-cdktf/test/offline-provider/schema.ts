// Reads the schema of the AWS provider from the generated bindings: attributes and blocks of a type, their
// types, and which are required. It parses their source, because the schema is not available at run time.
//
// The bindings lack two facts. They do not contain which optional attributes AWS computes if they are not
// set: all optional attributes of resources count as computed, so that they can be referenced. And they do
// not contain value constraints.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** A Terraform type as JSON: "string", ["list", "string"], ["list", ["object", {…}]], … */
export type Type = string | [string, Type] | ['object', Record<string, Type>]

export interface Attribute {
  type: Type
  required: boolean
  optional: boolean
  computed: boolean
}

export interface NestedBlock {
  block: Block
  nesting: 'single' | 'list' | 'set' | 'map'
  required: boolean
  /** At most one block is allowed. */
  isSingle: boolean
}

export interface Block {
  attributes: Record<string, Attribute>
  blocks: Record<string, NestedBlock>
}

const LIBRARY = join(
  dirname(createRequire(import.meta.url).resolve('@cdktf/provider-aws/package.json')),
  'lib',
)

/** Returns the schema of a resource type. @throws Error if the bindings do not contain it */
export const resourceSchema = (type: string): Block => schemaIn(folderOf(type), 'TerraformResource')
export const dataSourceSchema = (type: string): Block =>
  schemaIn(`data-aws-${folderOf(type)}`, 'TerraformDataSource')

const folderOf = (type: string) => type.replace(/^aws_/, '').replaceAll('_', '-')

function schemaIn(folder: string, parent: string): Block {
  const text = readFileSync(join(LIBRARY, folder, 'index.js'), 'utf8')
  const classes = new Map(
    [...text.matchAll(/^class (\w+) extends cdktf\.(\w+) \{\n[\s\S]*?^\}/gm)].map(([body, name, base]) => [
      name ?? '',
      { base, body },
    ]),
  )
  const root = [...classes].find(([, { base }]) => base === parent)?.[0]
  if (!root) throw new Error(`${folder} has no ${parent}`)
  return blockOf(root, root)

  function blockOf(className: string, top: string): Block {
    const { body } = found(className)
    const isResource = className === top && parent === 'TerraformResource'
    const types = hclTypesOf(className, body)
    const attributes: Block['attributes'] = {}
    const blocks: Block['blocks'] = {}
    for (const [, getter = '', expression = ''] of body.matchAll(
      /^ {4}get (\w+)\(\) \{\n\s+return (.*);$/gm,
    )) {
      const name = /(?:Attribute\(|interpolationForAttribute\()'(\w+)'/.exec(expression)?.[1]
      if (!name || getter.endsWith('Input')) continue
      const isSettable = body.includes(`\n    set ${getter}(`)
      const isOptional = body.includes(`\n    reset${capitalized(getter)}(`)
      attributes[name] = {
        type: types.get(name)?.type ?? typeOf(expression),
        required: isSettable && !isOptional,
        optional: isOptional,
        computed: !isSettable || (isResource && isOptional),
      }
    }
    for (const match of body.matchAll(
      /\/\/ (\w+) - computed: (\w+), optional: (\w+), required: (\w+)\n\s+this\._\w+ = new (cdktf\.)?(\w+)\(this, "\w+"(?:, (\w+))?\)/g,
    )) {
      const [, name = '', , optional, required, ofCdktf, nested = '', isSet] = match
      const hcl = types.get(name)
      if (ofCdktf) {
        attributes[name] = { type: computedMapOf(nested), required: false, optional: false, computed: true }
      } else if (optional === 'false' && required === 'false') {
        const type: Type = ['object', objectOf(blockOf(elementOf(nested), top))]
        attributes[name] = {
          type: [isSet === 'true' ? 'set' : 'list', type],
          required: false,
          optional: false,
          computed: true,
        }
      } else {
        blocks[name] = {
          block: blockOf(elementOf(nested), top),
          nesting:
            hcl?.kind === 'set'
              ? 'set'
              : hcl?.kind === 'map'
                ? 'map'
                : hcl?.kind === 'struct'
                  ? 'single'
                  : 'list',
          required: required === 'true',
          isSingle: nested.endsWith('OutputReference'),
        }
      }
    }
    return { attributes, blocks }
  }

  function found(className: string): { body: string } {
    const entry = classes.get(className)
    if (!entry) throw new Error(`${folder} has no class ${className}`)
    return entry
  }

  /** Returns the class of an element: `FooBarList` is a list of `FooBarOutputReference`. */
  function elementOf(className: string): string {
    return className.endsWith('OutputReference')
      ? className
      : className.replace(/(List|Map)$/, 'OutputReference')
  }

  function hclTypesOf(className: string, body: string) {
    const struct = className.replace(/OutputReference$/, '')
    return hclTypesIn(className === struct ? body : writerOf(text, struct))
  }
}

/** Returns the schema of the provider configuration, which has no block classes and nothing required. */
export function providerSchema(): Block {
  const text = readFileSync(join(LIBRARY, 'provider', 'index.js'), 'utf8')
  const blockOf = (source: string): Block => {
    const entries = [...hclTypesIn(source)]
    return {
      attributes: Object.fromEntries(
        // `alias` is a meta-argument of Terraform, which the bindings add.
        entries.flatMap(([name, { type }]) =>
          type && name !== 'alias'
            ? [[name, { type, required: false, optional: true, computed: false }]]
            : [],
        ),
      ),
      blocks: Object.fromEntries(
        entries.flatMap(([name, { type, kind, storage }]) => {
          if (type) return []
          const block = blockOf(writerOf(text, storage.replace(/List$/, '')))
          return [
            [
              name,
              { block, nesting: kind === 'set' ? 'set' : 'list', required: false, isSingle: false },
            ] as const,
          ]
        }),
      ),
    }
  }
  return blockOf(text.slice(text.indexOf('synthesizeHclAttributes()')))
}

/** Returns the source of the function that writes a struct as HCL. */
function writerOf(text: string, struct: string): string {
  const start = text.indexOf(`function ${struct[0]?.toLowerCase()}${struct.slice(1)}ToHclTerraform(struct) {`)
  return start < 0 ? '' : text.slice(start, text.indexOf('\n}\n', start))
}

/** Returns kinds and types of attributes and blocks by name. Blocks have no type. */
function hclTypesIn(source: string) {
  return new Map(
    [
      ...source.matchAll(
        /^ +(\w+): \{\n +value: .*\n +isBlock: (\w+),\n +type: "(\w+)",\n +storageClassType: "(\w+)"/gm,
      ),
    ].map(([, name = '', isBlock, kind = '', storage = '']) => [
      name,
      { kind, storage, type: isBlock === 'true' ? undefined : typeNamed(kind, storage) },
    ]),
  )
}

function typeNamed(kind: string, storage: string): Type | undefined {
  const element = /^(string|number|bool)/.exec(storage)?.[1]
  if (!element) return undefined
  return kind === 'simple' ? element : [kind, element]
}

function typeOf(expression: string): Type {
  const element = expression.includes('Number')
    ? 'number'
    : expression.includes('Boolean')
      ? 'bool'
      : 'string'
  if (expression.includes('MapAttribute')) return ['map', element]
  if (expression.includes('tolist(')) return ['set', element]
  return expression.includes('ListAttribute') ? ['list', element] : element
}

const computedMapOf = (name: string): Type => [
  'map',
  name.startsWith('Number') ? 'number' : name.startsWith('Boolean') ? 'bool' : 'string',
]

const objectOf = ({ attributes }: Block): Record<string, Type> =>
  Object.fromEntries(Object.entries(attributes).map(([name, { type }]) => [name, type]))

const capitalized = (word: string) => word.charAt(0).toUpperCase() + word.slice(1)
