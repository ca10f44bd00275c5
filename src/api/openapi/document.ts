// Creates an OpenAPI 3.1 document from operations and zod schemas. It knows no route: `docs/api-document.ts`
// passes the operations of all routes.
import { HEADERS, type HeaderName, LIMIT_HEADERS } from './headers.ts'
import type { Content, Operation, OperationResponse, Operations, Schema } from './operation.ts'
import { PARAMETERS } from './parameters.ts'
import { ANY_PROBLEM, createProblemExamples, PROBLEM_SCHEMAS, problemResponses } from './problems.ts'
import { createSchemas, parametersOfQuery, withReferences } from './schemas.ts'
import { isLimited, SECURITY_SCHEMES, securityOf } from './security.ts'

export interface ApiDescription {
  info: { title: string; version: string; description: string; contact: object; license: object }
  /** Operations by their tag. The documentation shows the tags in this order. */
  tags: Record<string, { description: string; operations: Operations }>
  /** Schemas for `components/schemas` by their names. */
  schemas: Record<string, Schema>
}

export type OpenApiDocument = ReturnType<typeof createOpenApiDocument>
export type OpenApiOperation = ReturnType<typeof operationObject>

export function createOpenApiDocument({ info, tags, schemas: ownSchemas }: ApiDescription) {
  const schemas = { ...ownSchemas, ...PROBLEM_SCHEMAS }
  const document = {
    openapi: '3.1.1',
    info,
    // The server URL is relative to the URL of this document, so that it works under any host and path
    // prefix.
    servers: [{ url: '.', description: 'The server of this document' }],
    tags: Object.entries(tags).map(([name, { description }]) => ({ name, description })),
    paths: pathsOf(tags),
    components: {
      schemas: createSchemas(schemas),
      parameters: PARAMETERS,
      headers: HEADERS,
      examples: createProblemExamples(),
      securitySchemes: SECURITY_SCHEMES,
    },
  }
  return withReferences(document, schemas)
}

function pathsOf(tags: ApiDescription['tags']): Record<string, Record<string, OpenApiOperation>> {
  const paths: Record<string, Record<string, OpenApiOperation>> = {}
  for (const [tag, { operations }] of Object.entries(tags)) {
    for (const [id, operation] of Object.entries(operations)) {
      const [method = '', path = ''] = operation.route.replace(/:(\w+)/g, '{$1}').split(' ')
      paths[path] = { ...paths[path], [method.toLowerCase()]: operationObject(id, tag, operation) }
    }
  }
  return paths
}

function operationObject(id: string, tag: string, operation: Operation) {
  const { summary, description, parameters = [], query, body, responses } = operation
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
      ...parameters.map((parameter) =>
        typeof parameter === 'string' ? { $ref: `#/components/parameters/${parameter}` } : parameter,
      ),
      ...(query ? parametersOfQuery(query) : []),
    ],
    ...(body && { requestBody: { required: !body.isOptional, content: contentObject(body.content) } }),
    responses: Object.fromEntries(
      Object.entries(allResponses).map(([status, response]) => [status, responseObject(response, common)]),
    ),
  }
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
