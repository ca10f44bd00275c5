// Creates one request of the collection from its operation in the OpenAPI document.
import type { OpenApiDocument } from '../api/openapi/document.ts'
import type { ExampleRequest } from '../api/openapi/operation.ts'
import { UNTIL_FINAL } from './scripts.ts'

export interface PostmanFolder {
  name: string
  description?: string
  item: (PostmanFolder | PostmanItem)[]
}

export interface PostmanItem {
  name: string
  request: {
    method: string
    description?: string
    header: Pair[]
    url: { raw: string; host: string[]; path: string[]; query?: Pair[] }
    body?: object
  }
  event: { listen: 'test'; script: { type: 'text/javascript'; exec: string[] } }[]
  protocolProfileBehavior?: { followRedirects: boolean }
}

interface Pair {
  key: string
  value: string
}

export type MakeRequest = (request: ExampleRequest) => PostmanItem[]

/** The result returns one request, or none if the document does not contain the operation. */
export function createRequestMaker(document: OpenApiDocument): MakeRequest {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )
  return (options) => {
    const found = operations.find(({ operation }) => operation.operationId === options.operationId)
    if (!found) return []
    const { operation, method } = found
    const path = found.path.replace(
      /\{(\w+)\}/g,
      (_match, name: string) => options.path?.[name] ?? `{${name}}`,
    )
    const content = operation.responses[options.status]?.content ?? {}
    const [mediaType = ''] = Object.keys(content)
    return [
      {
        name: options.name,
        request: {
          method: method.toUpperCase(),
          description: operation.description ?? operation.summary,
          header: pairs({
            ...(options.json !== undefined && { 'Content-Type': 'application/json' }),
            ...options.headers,
          }),
          url: urlOf(path, options.query),
          ...bodyOf(options),
        },
        event: [
          {
            listen: 'test',
            script: {
              type: 'text/javascript',
              exec: [
                `pm.test('responds with ${options.status}', () => pm.response.to.have.status(${options.status}))`,
                ...membersTest(mediaType, requiredMembers(document, content[mediaType]?.schema)),
                ...(options.script ?? []),
                ...(options.isRepeatedUntilFinal ? UNTIL_FINAL : []),
              ],
            },
          },
        ],
        ...(options.status === 303 && { protocolProfileBehavior: { followRedirects: false } }),
      },
    ]
  }
}

function urlOf(path: string, query: Record<string, string> = {}) {
  const text = new URLSearchParams(query).toString()
  return {
    raw: `{{baseUrl}}${path}${text && `?${text}`}`,
    host: ['{{baseUrl}}'],
    path: path.split('/').slice(1),
    ...(text && { query: pairs(query) }),
  }
}

function bodyOf({ json, form }: ExampleRequest) {
  if (form) return { body: { mode: 'urlencoded', urlencoded: pairs(form) } }
  if (json === undefined) return {}
  const options = { raw: { language: 'json' } }
  return { body: { mode: 'raw', raw: JSON.stringify(json, null, 2), options } }
}

function membersTest(mediaType: string, members: string[]): string[] {
  if (members.length === 0) return []
  return [
    `pm.test('is ${mediaType} with all required members', () => {`,
    `  pm.expect(pm.response.headers.get('Content-Type')).to.include('${mediaType}')`,
    `  pm.expect(pm.response.json()).to.include.all.keys(${JSON.stringify(members)})`,
    '})',
  ]
}

/** Members that a response with this schema must have. */
function requiredMembers(document: OpenApiDocument, schema: object = {}): string[] {
  const own = 'required' in schema && Array.isArray(schema.required) ? schema.required.map(String) : []
  const parts = 'allOf' in schema && Array.isArray(schema.allOf) ? schema.allOf : []
  const name = '$ref' in schema ? (String(schema.$ref).split('/').at(-1) ?? '') : ''
  const referred = name === '' ? [] : requiredMembers(document, document.components.schemas[name])
  return [...own, ...parts.flatMap((part) => requiredMembers(document, part)), ...referred]
}

function pairs(record: Record<string, string>): Pair[] {
  return Object.entries(record).map(([key, value]) => ({ key, value }))
}
