// GET /v1/definitions: what clients and forms need to know of each definition.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DefinitionView } from '../../src/api/tasks/task-view.ts'
import { startSystem, type TestSystem } from '../support/system.ts'
import { createGate, createTaskRequests, echo, UNSERVED } from './support/tasks-api.ts'

const gate = createGate()
let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ definitions: [echo, gate.definition] })
})
afterAll(() => system.stop())

const { get } = createTaskRequests(() => system)

describe('GET /v1/definitions', () => {
  test('returns the schemas, the example and the defaults of each definition', async () => {
    const { data } = (await get('/v1/definitions')).body as { data: DefinitionView[] }
    const names = data.map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(['notify', 'email', 'reverse', 'sentiment', 'divide']))
    expect(data.find(({ name }) => name === 'divide')).toMatchObject({
      title: expect.any(String),
      description: expect.any(String),
      queue: 'default',
      max_retries: 3,
      timeout_seconds: 300,
      input_schema: { type: 'object', properties: { x: { type: 'number' } }, required: ['x', 'y'] },
      output_schema: { properties: { quotient: { type: 'number' } } },
      example: { x: 10, y: 4 },
    })
  })

  test('returns examples that are accepted as inputs', async () => {
    const { data } = (await get('/v1/definitions')).body as { data: DefinitionView[] }
    for (const { name, example } of data) {
      expect(await system.submit(name, example, UNSERVED)).toMatchObject({ name, input: example })
    }
  })

  test('responds with 304 to a client that has the latest ETag', async () => {
    const tag = (await get('/v1/definitions')).headers.get('ETag') ?? ''
    expect(tag).toMatch(/^"[\w-]+"$/)
    const again = await get('/v1/definitions', { 'If-None-Match': tag })
    expect(again).toMatchObject({ status: 304, body: '' })
    expect(again.headers.get('ETag')).toBe(tag)
    expect((await get('/v1/definitions', { 'If-None-Match': '"another"' })).status).toBe(200)
  })
})
