// Creates the OpenAPI 3.1 document from the lists of operations, the zod schemas and the task definitions.
import type { Registry } from '../../definitions/registry.ts'
import { formOperations } from './form-operations.ts'
import { HEADERS, type HeaderName, LIMIT_HEADERS } from './headers.ts'
import {
  type Content,
  type Operation,
  type OperationResponse,
  type Query,
  type Schema,
  TAGS,
} from './operation.ts'
import { PARAMETERS } from './parameters.ts'
import {
  ANY_PROBLEM,
  allProblemTypes,
  createProblemExamples,
  createProblemSchemas,
  problemResponses,
} from './problems.ts'
import { createSchemas, schemasOfQuery } from './schemas.ts'
import { isLimited, SECURITY_SCHEMES, securityOf } from './security.ts'
import { submitOperations } from './submit-operations.ts'
import { MONITORING_OPERATIONS } from './system-operations.ts'
import { TASK_OPERATIONS } from './task-operations.ts'

export type OpenApiDocument = ReturnType<typeof createOpenApiDocument>
export type OpenApiOperation = ReturnType<typeof operationObject>

/** Creates the document that /openapi.json returns. @param version version of Waggle from package.json */
export function createOpenApiDocument(registry: Registry, version: string) {
  const operations = [
    ...submitOperations(registry.submittable),
    ...TASK_OPERATIONS,
    ...formOperations(registry),
    ...MONITORING_OPERATIONS,
  ]
  return {
    openapi: '3.1.1',
    info: { title: 'Waggle', version, description: DESCRIPTION, license: { name: 'MIT', identifier: 'MIT' } },
    // The server URL is relative to the URL of this document, so that it works under any host and path
    // prefix.
    servers: [{ url: '.', description: 'The server of this document' }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths: pathsOf(operations),
    components: {
      schemas: createAllSchemas(registry),
      parameters: PARAMETERS,
      headers: HEADERS,
      examples: createProblemExamples(),
      securitySchemes: SECURITY_SCHEMES,
    },
  }
}

const DESCRIPTION = `Background tasks behind an HTTP API.

**Guarantee:** an accepted task is never lost. It runs at least once, and exactly one result is accepted. 202 means that the task is committed.

Every error response is a problem document (RFC 9457, \`application/problem+json\`); its \`type\` identifies the problem. API keys are required only if the server is configured with keys. Send one as \`Authorization: Bearer …\` or \`X-API-Key: …\`.`

function createAllSchemas({ submittable }: Registry): Record<string, Schema> {
  const { Problem: problem, ...schemas } = createSchemas(submittable)
  const properties = problem?.properties
  const type = { type: 'string', enum: allProblemTypes() }
  return {
    ...schemas,
    Problem: { ...problem, properties: { ...(typeof properties === 'object' && properties), type } },
    ...createProblemSchemas(),
  }
}

function pathsOf(operations: Operation[]): Record<string, Record<string, OpenApiOperation>> {
  const byPath = Map.groupBy(operations, ({ path }) => path)
  return Object.fromEntries(
    [...byPath].map(([path, ofPath]) => [
      path,
      Object.fromEntries(ofPath.map((operation) => [operation.method, operationObject(operation)])),
    ]),
  )
}

function operationObject(operation: Operation) {
  const { id, summary, description, tag, parameters = [], query, body, responses } = operation
  const allResponses: Record<string, OperationResponse> = {
    ...problemResponses(operation),
    ...responses,
    default: ANY_PROBLEM,
  }
  const common: HeaderName[] = ['X-Request-Id', ...(isLimited(operation) ? LIMIT_HEADERS : [])]
  return {
    operationId: id,
    summary,
    ...(description && { description }),
    tags: [tag],
    security: securityOf(operation),
    parameters: [
      ...parameters.map((name) => ({ $ref: `#/components/parameters/${name}` })),
      ...(query ? queryParameters(query) : []),
    ],
    ...(body && { requestBody: { required: body.isRequired, content: contentObject(body.content) } }),
    responses: Object.fromEntries(
      Object.entries(allResponses).map(([status, response]) => [status, responseObject(response, common)]),
    ),
  }
}

function queryParameters({ schema, descriptions }: Query) {
  const { properties, required } = schemasOfQuery(schema)
  return Object.entries(properties).map(([name, valueSchema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    description: descriptions[name],
    ...(valueSchema.type === 'array' && { style: 'form', explode: false }),
    schema: valueSchema,
  }))
}

function responseObject(
  { description, headers = [], content }: OperationResponse,
  common: readonly HeaderName[],
) {
  const names = [...headers, ...common]
  return {
    description,
    headers: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }])),
    ...(content && { content: contentObject(content) }),
  }
}

function contentObject(content: Record<string, Content>) {
  return Object.fromEntries(
    Object.entries(content).map(([mediaType, { schema, examples = {} }]) => [
      mediaType,
      {
        schema,
        examples: Object.fromEntries(
          Object.entries(examples).map(([name, value]) => [name, exampleObject(value)]),
        ),
      },
    ]),
  )
}

/** Converts an example for OpenAPI: a reference stays as it is, any other value becomes an Example Object. */
function exampleObject(value: unknown): { $ref: string } | { value: unknown } {
  if (typeof value === 'object' && value !== null && '$ref' in value) return { $ref: String(value.$ref) }
  return { value }
}
