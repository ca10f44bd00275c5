// Converts zod schemas to JSON Schema: `components/schemas`, and the parameters of query strings.
import { z } from 'zod'
import { markSensitive } from '../../definitions/sensitive.ts'
import type { Schema } from './operation.ts'
import { SECURITY_SCHEMES } from './security.ts'

/** Returns the JSON Schemas of `components/schemas`. References between them use their names. */
export function createSchemas(schemas: Record<string, Schema>): Record<string, Schema> {
  const named = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(schemas)) if (isZod(schema)) named.add(schema, { id })
  const { schemas: converted } = z.toJSONSchema(named, {
    // Describes values before zod parses them, so that request members with a default are optional. The mode
    // `output` would also forbid additional members, but later versions of the API may add some to responses.
    io: 'input',
    unrepresentable: 'any',
    uri: (id) => `#/components/schemas/${id}`,
    override: ({ jsonSchema }) => tidy(jsonSchema),
  })
  const { __shared: shared, ...own } = converted
  return {
    ...schemas,
    ...shared?.$defs,
    ...Object.fromEntries(
      Object.entries(own).map(([id, { $schema: _dialect, $id: _id, ...schema }]) => [id, schema]),
    ),
  }
}

/** Returns the parameters of a query string. */
export function parametersOfQuery(query: z.ZodObject) {
  const [given, read] = (['input', 'output'] as const).map((io) =>
    z.toJSONSchema(query, { io, unrepresentable: 'any', override: ({ jsonSchema }) => tidy(jsonSchema) }),
  )
  return Object.entries(given?.properties ?? {}).flatMap(([name, property]) => {
    // The poll token is a security scheme.
    if (name === SECURITY_SCHEMES.pollToken.name) return []
    // A parameter that zod parses from comma-separated text is documented as an array: OpenAPI also writes
    // arrays in a query as comma-separated text, if the parameter has `explode: false`.
    const parsed = asObject(read?.properties?.[name])
    const isArray = parsed.type === 'array'
    const { description, ...schema } = isArray ? parsed : asObject(property)
    const required = given?.required?.includes(name) ?? false
    const style = isArray ? { style: 'form', explode: false } : {}
    return [{ name, in: 'query', required, description, ...style, schema }]
  })
}

/**
 * Returns a copy of `value` in which references replace the zod schemas. It also corrects references to
 * recursive schemas: zod puts these into `__shared`, the document into `components/schemas`, like all others.
 */
export function withReferences<Value>(value: Value, schemas: Record<string, Schema>): Value {
  const names = new Map(Object.entries(schemas).map(([name, schema]) => [schema, name]))
  const text = JSON.stringify(value, (_key, member) => {
    if (!isZod(member)) return member
    const name = names.get(member)
    if (name === undefined) throw new Error('A schema of the OpenAPI document has no name')
    return { $ref: `#/components/schemas/${name}` }
  })
  return JSON.parse(text.replaceAll('schemas/__shared#/$defs/', 'schemas/'))
}

/** Removes keywords that only make the document longer: patterns of dates and UUIDs, safe integer limits. Marks
 * sensitive values. */
function tidy(schema: z.core.JSONSchema.BaseSchema) {
  if (schema.format === 'date-time' || schema.format === 'uuid') delete schema.pattern
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum
  markSensitive(schema)
}

/**
 * Returns a copy of a JSON Schema that is an object; `{}` for undefined. JSON Schema also has the schemas
 * true and false, but zod does not generate them for the values that are passed here.
 */
function asObject(schema: unknown): Record<string, unknown> {
  return typeof schema === 'object' && schema !== null ? { ...schema } : {}
}

function isZod(value: unknown): value is z.ZodType {
  return value instanceof z.ZodType
}
