// GET /v1/definitions: what clients and forms need to know of each definition.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DefinitionView, TaskView } from '../../src/api/tasks/task-view.ts'
import { defineTask } from '../../src/definitions/define.ts'
import { startSystem, type TestSystem } from '../support/system.ts'
import { createGate, createTaskRequests, echo, UNSERVED } from './support/tasks-api.ts'

const gate = createGate()
const isolated = defineTask({
  ...echo,
  name: 'isolated_echo',
  isolate: { memoryMb: 300, killGraceMs: 2_500, maxAttemptsPerProcess: 10 },
})
let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ definitions: [echo, isolated, gate.definition] })
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

  test('returns the limits of isolated attempts, and null if attempts are not isolated', async () => {
    const { data } = (await get('/v1/definitions')).body as { data: DefinitionView[] }
    const isolatedOf = (name: string) => data.find((definition) => definition.name === name)?.isolated
    expect(isolatedOf('isolated_echo')).toEqual({
      memory_mb: 300,
      kill_grace_seconds: 2.5,
      max_attempts_per_process: 10,
    })
    expect(isolatedOf('echo')).toBeNull()
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

test.each([
  ['isolated_echo', true],
  ['echo', false],
])('a task of %s has is_isolated %s in every response, and so has its replay', async (name, isIsolated) => {
  const submitted = await system.submit(name, echo.example, UNSERVED)
  const { body } = await system.request('POST', `/v1/tasks/${submitted.id}/replay`, {})
  for (const response of [submitted, await system.task(submitted.id), body as TaskView])
    expect(response).toMatchObject({ name, is_isolated: isIsolated })
  expect(await system.task((body as TaskView).id)).toMatchObject({ is_isolated: isIsolated })
  const headers = { 'Idempotency-Key': `key-of-${name}` }
  const once = await system.request('POST', `/v1/tasks/${name}`, { input: echo.example }, headers)
  expect(await system.task((once.body as TaskView).id)).toMatchObject({ is_isolated: isIsolated })
})
