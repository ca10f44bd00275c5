// The OpenAPI document: it is valid and complete, and it matches the routes.
import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createApp } from '../../src/api/app.ts'
import type { OpenApiDocument } from '../../src/api/openapi/document.ts'
import { HTTP_STATUS } from '../../src/base/errors.ts'
import { defineTask } from '../../src/definitions/define.ts'
import config from '../../waggle.config.ts'
import { createDocumentChecker, operationsOf } from '../support/documented.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

interface Tree {
  leaf: string
  children?: Tree[]
}
const tree: z.ZodType<Tree> = z.lazy(() => z.object({ leaf: z.string(), children: z.array(tree).optional() }))
const EXAMPLE: Tree = { leaf: 'a', children: [{ leaf: 'b' }] }

/** Definitions with a recursive schema that both of them use. */
const recursive = ['grow_tree', 'cut_tree'].map((name) =>
  defineTask({
    name,
    title: `${name} of any depth`,
    description: 'Never run.',
    input: z.object({ tree }),
    output: tree,
    example: { tree: EXAMPLE },
    run: async () => EXAMPLE,
  }),
)

let system: TestSystem
let document: OpenApiDocument
beforeAll(async () => {
  system = await startSystem({ worker: false, definitions: recursive })
  document = (await system.request('GET', '/openapi.json')).body
})
afterAll(() => system.stop())

test('a strict validator accepts the document as OpenAPI 3.1', async () => {
  const validator = new Validator()
  const { valid, errors } = await validator.validate(structuredClone(document))
  expect({ valid, errors, version: validator.version }).toEqual({
    valid: true,
    errors: undefined,
    version: '3.1',
  })
})

test('every route is documented, and every documented operation has a route', () => {
  const documented = operationsOf(document).map(({ method, path }) => `${method} ${path}`)
  const served = servedOperations()
  expect(served.filter((route) => !isDocumented(route, documented))).toEqual([])
  expect(documented.filter((operation) => !isServed(operation, served))).toEqual([])
})

test('every definition has its own operation with its schemas and its example', () => {
  for (const { name, title, example } of system.registry.submittable) {
    expect(document.paths[`/v1/tasks/${name}`]?.post).toMatchObject({
      operationId: `submit_${name}`,
      summary: title,
      requestBody: {
        content: { 'application/json': { examples: { example: { value: { input: example } } } } },
      },
    })
  }
})

test('every parameter and every option of a submission has a description', () => {
  const { parameters, schemas } = document.components
  const options: unknown = schemas.SubmitOptions
  const ofQueries = operationsOf(document).flatMap(({ operation }) => operation.parameters)
  const described = [
    ...ofQueries.filter((parameter) => !('$ref' in parameter)),
    ...Object.values(parameters),
    ...Object.values(Object(options).properties),
  ]
  expect(described.length).toBeGreaterThan(20)
  for (const one of described) expect(one).toMatchObject({ description: expect.stringMatching(/./) })
})

test('operation ids are unique', () => {
  const names = operationsOf(document).map(({ operation }) => operation.operationId)
  expect(names).toEqual([...new Set(names)])
})

test('every problem type is documented with its status and an example', () => {
  const { schemas, examples } = document.components
  for (const [code, status] of Object.entries(HTTP_STATUS)) {
    const type = `urn:waggle:problem:${code}`
    expect(JSON.stringify(schemas[`Problem${status}`])).toContain(`"${type}"`)
    expect(JSON.stringify(schemas.Problem)).toContain(`"${type}"`)
    expect(examples[code]?.value).toMatchObject({ type, status })
  }
})

test('every $ref points to a component that exists', () => {
  const references = JSON.stringify(document).matchAll(/"\$ref":"#\/components\/(\w+)\/([^"]+)"/g)
  const components: Record<string, object> = document.components
  const broken = [...references].filter(
    ([, kind = '', name = '']) => !Object.hasOwn(components[kind] ?? {}, name),
  )
  expect(broken.map(([reference]) => reference)).toEqual([])
})

describe('examples are valid', () => {
  test('of requests and responses', () => {
    const checker = createDocumentChecker(document)
    const seen = operationsOf(document).flatMap(({ operation }) => contentsOf(operation))
    const faults = seen.flatMap(({ where, schema, value }) => {
      const fault = checker.faultOf(schema, value)
      return fault ? [`${where}: ${fault}`] : []
    })
    expect(faults).toEqual([])
    expect(seen.length).toBeGreaterThan(20)
  })

  test('of parameters', () => {
    const checker = createDocumentChecker(document)
    for (const parameter of Object.values(document.components.parameters)) {
      if ('example' in parameter) expect(checker.faultOf(parameter.schema, parameter.example)).toBeNull()
    }
  })

  test('the checker finds invalid examples', () => {
    const checker = createDocumentChecker(document)
    expect(
      checker.faultOf({ $ref: '#/components/schemas/NotifySubmission' }, { input: { email: 7 } }),
    ).toMatch(/must be string/)
    expect(checker.faultOf({ $ref: '#/components/schemas/Health' }, { status: 'ok', more: 1 })).toMatch(
      /additional properties/,
    )
  })
})

describe('GET /openapi.json', () => {
  test('responds with 304 to a client that has the document', async () => {
    const { headers } = await system.request('GET', '/openapi.json')
    const tag = headers.get('ETag') ?? ''
    expect(headers.get('Cache-Control')).toBe('no-cache')
    const again = await fetch(`${system.url}/openapi.json`, { headers: { 'If-None-Match': tag } })
    expect(again.status).toBe(304)
  })
})

/** Returns all routes as `get /v1/tasks/:id`. The method is `all` for routes that accept every method. */
function servedOperations(): string[] {
  const { routes } = createApp(system.dependencies, config.routes)
  const own = routes.filter(({ path }) => !path.includes('*'))
  return [...new Set(own.map(({ method, path }) => `${method.toLowerCase()} ${path}`))]
}

function isDocumented(route: string, documented: string[]): boolean {
  return documented.some((operation) => isSame(route, operation))
}

function isServed(operation: string, served: string[]): boolean {
  return served.some((route) => isSame(route, operation))
}

/**
 * Whether an operation belongs to a route. A route can have many operations: `/v1/tasks/notify` matches
 * `/v1/tasks/:name`.
 */
function isSame(route: string, operation: string): boolean {
  const [routeMethod, routePath = ''] = route.split(' ')
  const [method, path = ''] = operation.split(' ')
  if (routeMethod !== 'all' && routeMethod !== method && !(routeMethod === 'get' && method === 'head'))
    return false
  // A literal path takes precedence over a pattern: `/v1/tasks/batch` is not a definition.
  if (path === '/v1/tasks/batch') return routePath === path
  return new RegExp(`^${routePath.replace(/:\w+/g, '[^/]+')}$`).test(path)
}

function contentsOf(operation: ReturnType<typeof operationsOf>[number]['operation']) {
  const { operationId, requestBody, responses } = operation
  const bodies = [
    ['request', requestBody?.content ?? {}] as const,
    ...Object.entries(responses).map(([status, { content }]) => [status, content ?? {}] as const),
  ]
  return bodies.flatMap(([kind, content]) =>
    Object.entries(content).flatMap(([mediaType, { schema, examples }]) =>
      Object.entries(examples).map(([name, example]) => ({
        where: `${operationId} ${kind} ${mediaType} ${name}`,
        schema,
        value: exampleValue(example),
      })),
    ),
  )
}

function exampleValue(example: { $ref: string } | { value: unknown }): unknown {
  if ('value' in example) return example.value
  const name = example.$ref.split('/').at(-1) ?? ''
  return document.components.examples[name]?.value
}
