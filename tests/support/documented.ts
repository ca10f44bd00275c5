// Holds answers and examples against the OpenAPI document of the system.
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import type { OpenApiDocument } from '../../src/api/openapi/document.ts'

export interface SeenAnswer {
  operationId: string
  status: number
  headers: Headers
  text: string
}

export interface DocumentChecker {
  /** Everything about this answer that the document does not say, one sentence each. */
  faultsOf(answer: SeenAnswer): string[]
  /** Why a value is not of this schema; null when it is. */
  faultOf(schema: object, value: unknown): string | null
}

export function createDocumentChecker(document: OpenApiDocument): DocumentChecker {
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: true })
  // The package's types know only how it is required, not how Node imports it.
  const addFormats = formats as unknown as typeof formats.default
  addFormats(ajv)
  // Ours: a hint for forms.
  ajv.addFormat('multiline', true)
  const { schemas } = document.components
  ajv.addSchema({ $id: 'document:/openapi', components: { schemas: closeAnswers(schemas) } })

  return { faultsOf, faultOf }

  function faultOf(schema: object, value: unknown): string | null {
    const validate = ajv.compile(absolute(schema))
    return validate(value) ? null : ajv.errorsText(validate.errors)
  }

  function faultsOf({ operationId, status, headers, text }: SeenAnswer): string[] {
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
      faultOf(documented.schema, body) ?? (isStrangeProblem(documented.examples, body) ? 'type' : null)
    return fault ? [`${where}: ${fault}: ${text.slice(0, 300)}`] : []
  }
}

export function findOperation(document: OpenApiDocument, operationId: string) {
  const found = operationsOf(document).find(({ operation }) => operation.operationId === operationId)
  if (!found) throw new Error(`there is no operation ${operationId}`)
  return found
}

/** Every operation with its method and path. */
export function operationsOf({ paths }: OpenApiDocument) {
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ method, path, operation })),
  )
}

function isRequired(document: OpenApiDocument, name: string): boolean {
  const header = Object.entries(document.components.headers).find(([known]) => known === name)?.[1]
  return header !== undefined && 'required' in header
}

/** A problem of a type that this operation does not name: it has an example of each. */
function isStrangeProblem(examples: object, body: unknown): boolean {
  if (typeof body !== 'object' || body === null || !('type' in body)) return false
  return !Object.hasOwn(examples, String(body.type).replace('urn:waggle:problem:', ''))
}

/** References lead into the document, from wherever a schema stands. */
function absolute(schema: object): object {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"document:/openapi#/components/'))
}

/** Members of answers that the document does not know are faults here; it leaves them open for later versions. */
function closeAnswers(schemas: Record<string, object>): object {
  // Inputs are what the definitions make of them.
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
