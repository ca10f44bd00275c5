// Checks responses and examples against the OpenAPI document of the API.
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import type { OpenApiDocument } from '../../src/api/openapi/document.ts'

export interface ObservedResponse {
  operationId: string
  status: number
  headers: Headers
  text: string
}

export interface DocumentChecker {
  /** Lists all differences between a response and the document, one sentence each. */
  faultsOf(response: ObservedResponse): string[]
  /** Explains why a value does not match a schema; null if it matches. */
  faultOf(schema: object, value: unknown): string | null
}

export function createDocumentChecker(document: OpenApiDocument): DocumentChecker {
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: true })
  // The types declare a member `default`, as `require` returns it. The import in Node is the function itself.
  const addFormats = formats as unknown as typeof formats.default
  addFormats(ajv)
  // A format of our own: a hint for forms, which Ajv does not know.
  ajv.addFormat('multiline', true)
  const { schemas } = document.components
  ajv.addSchema({ $id: 'document:/openapi', components: { schemas: closeResponses(schemas) } })

  return { faultsOf, faultOf }

  function faultOf(schema: object, value: unknown): string | null {
    const validate = ajv.compile(absolute(schema))
    return validate(value) ? null : ajv.errorsText(validate.errors)
  }

  function faultsOf({ operationId, status, headers, text }: ObservedResponse): string[] {
    const where = `${operationId} ${status}`
    const documented = findOperation(document, operationId).operation.responses[status]
    if (!documented) return [`${where} is not documented`]
    const missing = Object.keys(documented.headers)
      .filter((name) => isRequired(document, name) && !headers.has(name))
      .map((name) => `${where} has no header ${name}`)
    return [...missing, ...bodyFaults(where, documented.content, headers, text)]
  }

  function bodyFaults(
    where: string,
    content: Record<string, { schema: object; examples: object }> | undefined,
    headers: Headers,
    text: string,
  ): string[] {
    if (!content) return text === '' ? [] : [`${where} has a body that is not documented`]
    const mediaType = (headers.get('Content-Type') ?? '').split(';')[0] ?? ''
    const documented = content[mediaType]
    if (!documented) return [`${where} is ${mediaType || 'without a type'}, which is not documented`]
    const body: unknown = mediaType.endsWith('json') ? JSON.parse(text) : text
    const fault =
      faultOf(documented.schema, body) ?? (isUndocumentedProblem(documented.examples, body) ? 'type' : null)
    return fault ? [`${where}: ${fault}: ${text.slice(0, 300)}`] : []
  }
}

export function findOperation(document: OpenApiDocument, operationId: string) {
  const found = operationsOf(document).find(({ operation }) => operation.operationId === operationId)
  if (!found) throw new Error(`the document has no operation ${operationId}`)
  return found
}

/** Lists every operation with its method and path. */
export function operationsOf({ paths }: OpenApiDocument) {
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ method, path, operation })),
  )
}

function isRequired(document: OpenApiDocument, name: string): boolean {
  const header = Object.entries(document.components.headers).find(([known]) => known === name)?.[1]
  return header !== undefined && 'required' in header
}

/**
 * Whether the body is a problem of a type that the operation does not document. An operation has an example
 * of each type.
 */
function isUndocumentedProblem(examples: object, body: unknown): boolean {
  if (typeof body !== 'object' || body === null || !('type' in body)) return false
  return !Object.hasOwn(examples, String(body.type).replace('urn:waggle:problem:', ''))
}

/** Makes references absolute, so that a schema outside the document can refer to its components. */
function absolute(schema: object): object {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"document:/openapi#/components/'))
}

/**
 * Forbids undocumented members in responses. The document itself allows them, for later versions of the API.
 */
function closeResponses(schemas: Record<string, object>): object {
  // The schemas of inputs come from the definitions and stay unchanged.
  const entries = Object.entries(schemas).map(([name, schema]) => [
    name,
    name.endsWith('Input') ? schema : closed(schema),
  ])
  return Object.fromEntries(entries)
}

function closed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(closed)
  const members = Object.entries(value).map(([name, member]) => [name, closed(member)])
  const isOpen = 'properties' in value && 'type' in value && !('additionalProperties' in value)
  return { ...Object.fromEntries(members), ...(isOpen && { additionalProperties: false }) }
}
