// Results of tasks: which values can be stored as JSON, and the limits on depth and size.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineTask } from '../../src/definitions/define.ts'
import { resultTextOf } from '../../src/store/result-text.ts'
import { largeInteger } from '../support/browser-definitions.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

const MIB = 1024 * 1024

describe('resultTextOf', () => {
  test.each<[what: string, result: unknown]>([
    ['100 levels', nested(100)],
    ['100 levels of lists and objects', nested(100, (inner) => ({ inner }))],
    ['1 MiB', 'x'.repeat(MIB - 2)],
    ['brackets in a text', `${'['.repeat(500)}"\\${'{'.repeat(500)}`],
    ['brackets in a name', { [`\\"${'['.repeat(500)}`]: '\\' }],
    ['many lists in one list', Array.from({ length: 500 }, () => [{}])],
  ])('accepts %s', (_what, result) => {
    expect(resultTextOf(result)).toBe(JSON.stringify(result))
  })

  test('returns undefined for undefined', () => {
    expect(resultTextOf(undefined)).toBeUndefined()
  })

  test.each<[what: string, result: unknown, message: string]>([
    ['101 levels', nested(101), 'it is nested deeper than 100 levels'],
    ['101 levels of objects', nested(101, (inner) => ({ '"]': inner })), 'deeper than 100 levels'],
    ['101 levels that toJSON returns', { toJSON: () => nested(101) }, 'deeper than 100 levels'],
    ['more levels than the stack allows', nested(100_000), 'deeper than 100 levels or larger than 1 MiB'],
    ['a byte more than 1 MiB', 'x'.repeat(MIB - 1), 'it is larger than 1 MiB'],
    ['more bytes than characters', 'ä'.repeat(MIB / 2), 'it is larger than 1 MiB'],
  ])('rejects %s', (_what, result, message) => {
    expect(() => resultTextOf(result)).toThrow(expect.objectContaining({ name: 'RangeError' }))
    expect(() => resultTextOf(result)).toThrow(message)
  })

  test('rejects a circular value', () => {
    const circular: { self?: unknown } = {}
    circular.self = circular
    expect(() => resultTextOf(circular)).toThrow(TypeError)
  })

  test('writes a bigint as a number with all its digits', () => {
    expect(resultTextOf({ id: 2n ** 64n, all: [-1n, 0.1] })).toBe(
      '{"id":18446744073709551616,"all":[-1,0.1]}',
    )
  })
})

describe('in a running system', () => {
  let system: TestSystem
  beforeAll(async () => {
    system = await startSystem({ definitions: [nest, fill, largeInteger, throwing] })
  })
  afterAll(() => system.stop())

  test.each([
    ['nest', 4_000, 'it is nested deeper than 100 levels'],
    ['fill', MIB, 'it is larger than 1 MiB'],
  ])(
    'a task whose result exceeds a limit ends as FAILURE, and the error names the limit: %s',
    async (name, size, why) => {
      const [bad, good] = await Promise.all([
        system.submit(name, { size }),
        system.submit('reverse', { text: 'ab' }),
      ])
      expect(await system.taskWhenFinal(bad.id)).toMatchObject({
        status: 'FAILURE',
        attempt: 1,
        result: null,
        error: {
          name: 'UnstorableResult',
          message: `The result cannot be stored as JSON: ${why}`,
          retryable: false,
        },
      })
      expect(await system.taskWhenFinal(good.id)).toMatchObject({ status: 'SUCCESS' })
      expect((await system.request('GET', '/v1/tasks')).status).toBe(200)
    },
  )

  test('a task whose result cannot be serialized, because its toJSON throws, ends as FAILURE', async () => {
    const { id } = await system.submit('throwing', { size: 1 })
    expect(await system.taskWhenFinal(id)).toMatchObject({
      status: 'FAILURE',
      error: { name: 'UnstorableResult', message: 'The result cannot be stored as JSON: not today' },
    })
  })

  test('results at the limits are stored and listed', async () => {
    const tasks = [await system.submit('nest', { size: 100 }), await system.submit('fill', { size: MIB - 2 })]
    for (const { id } of tasks) expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS' })
    expect((await system.request('GET', '/v1/tasks')).status).toBe(200)
  })

  test('every endpoint returns a bigint with all its digits', async () => {
    const { id } = await system.submit('large_integer', {})
    await system.taskWhenFinal(id)
    const textOf = async (path: string, headers?: Record<string, string>) =>
      (await fetch(`${system.url}${path}`, { headers })).text()
    const result = '"result":{"id":12345678901234567890}'
    expect(await textOf(`/v1/tasks/${id}`)).toContain(result)
    expect(await textOf(`/v1/tasks/${id}?wait=1`)).toContain(result)
    expect(await textOf(`/v1/tasks/${id}/events`)).toContain(result)
    expect(await textOf(`/v1/tasks?id=${id}`)).toContain(result)
    expect(await textOf(`/task_status/${id}`)).toContain(result)
    expect(await textOf(`/check_task/${id}`, { Accept: 'application/json' })).toContain(result)
    expect(await textOf(`/check_task/${id}`)).toContain('12345678901234567890')
  })
})

const sized = {
  input: z.object({ size: z.number() }),
  output: z.unknown(),
  description: 'for tests',
  example: { size: 1 },
}
const nest = defineTask({ ...sized, name: 'nest', title: 'Nests', run: async ({ size }) => nested(size) })
const fill = defineTask({ ...sized, name: 'fill', title: 'Fills', run: async ({ size }) => 'x'.repeat(size) })
const throwing = defineTask({
  ...sized,
  name: 'throwing',
  title: 'Throws while its result is serialized',
  run: async () => ({
    toJSON() {
      throw new Error('not today')
    },
  }),
})
function nested(levels: number, wrap: (inner: unknown) => unknown = (inner) => [inner]): unknown {
  let value: unknown = []
  for (let level = 1; level < levels; level++) value = wrap(value)
  return value
}
