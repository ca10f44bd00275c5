// Which schemas can parse their own results, and what a check of a stored input returns.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { canApplyTwice, checkStoredInput } from '../../src/definitions/stored-input.ts'
import sampleConfig from '../../waggle.config.ts'

interface Tree {
  children: Tree[]
}
const tree: z.ZodType<Tree> = z.lazy(() => z.object({ children: z.array(tree) }))
const withGetter = z.object({
  name: z.string(),
  get next() {
    return withGetter.optional()
  },
})
const changing: z.ZodType = z.object({
  value: z.string().transform(Number),
  get self() {
    return z.array(changing)
  },
})
const inner = z.object({ outer: z.lazy(() => changing) })

const APPLICABLE: [string, z.ZodType][] = [
  ['a string with checks', z.string().min(1).max(9).regex(/a/)],
  ['a changed string', z.string().trim().toLowerCase().normalize('NFC').min(1)],
  ['formats', z.object({ email: z.email(), url: z.url(), id: z.uuid(), at: z.iso.datetime() })],
  ['numbers', z.object({ a: z.int().min(1), b: z.number().multipleOf(2), c: z.literal([1, 'a']) })],
  [
    'a default',
    z.object({ a: z.string().min(1).default('x'), b: z.number().prefault(3), c: z.int().catch(0) }),
  ],
  [
    'a union',
    z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('a') }),
      z.strictObject({ kind: z.literal('b') }),
    ]),
  ],
  [
    'containers',
    z.object({ a: z.tuple([z.string()], z.int()), b: z.record(z.string(), z.null()), c: z.any() }),
  ],
  ['an intersection', z.intersection(z.object({ a: z.string() }), z.looseObject({}))],
  ['refinements', z.object({ a: z.string().refine(() => true) }).superRefine(() => {})],
  ['optional members', z.object({ a: z.string().nullish().readonly() }).partial()],
  ['a lazy schema', tree],
  ['a getter', withGetter],
]

test.each(APPLICABLE)('%s can be applied twice', (_, schema) => {
  expect(canApplyTwice(schema)).toBe(true)
})

test.each<[string, z.ZodType]>([
  ['a transform', z.object({ a: z.array(z.string().transform((text) => `${text}!`)) })],
  ['a pipe', z.object({ a: z.string().pipe(z.string()) })],
  ['a preprocess', z.preprocess((value) => value, z.string())],
  ['a codec', z.object({ a: z.stringbool().optional() })],
  ['a coercion', z.object({ a: z.coerce.number() })],
  ['a change of one’s own', z.string().overwrite((text) => `${text}!`)],
  ['a change after a check', z.string().min(3).trim()],
  ['a change of a format', z.email().trim()],
  ['a default that the schema refuses', z.object({ a: z.string().min(1).default('') })],
  ['dates', z.object({ a: z.date() })],
  ['a map in a union', z.union([z.string(), z.map(z.string(), z.string())])],
  [
    'a transform of a key',
    z.record(
      z.string().transform((key) => `${key}!`),
      z.string(),
    ),
  ],
  ['a rest with a transform', z.tuple([z.null()], z.string().transform(Number))],
  ['a catchall with a coercion', z.object({}).catchall(z.coerce.number())],
  ['a schema that contains itself and a transform', changing],
  ['a schema that contains that one', inner],
])('%s cannot be applied twice', (_, schema) => {
  expect(canApplyTwice(schema)).toBe(false)
})

test('the samples can be applied twice', () => {
  const { tasks } = sampleConfig
  expect(tasks.filter(({ input }) => !canApplyTwice(input)).map(({ name }) => name)).toEqual([])
})

test('a result of a schema that can be applied twice is accepted unchanged', () => {
  const schema = z.object({
    text: z.string().trim().toUpperCase().max(5),
    list: z.array(z.union([z.int().min(3), z.strictObject({ a: z.string().default('x') })])).default([]),
    rest: z.record(z.string(), z.boolean().nullable()).optional(),
  })
  expect(canApplyTwice(schema)).toBe(true)
  const given = fc.record({
    text: fc.string({ maxLength: 8 }),
    list: fc.option(
      fc.array(fc.oneof(fc.integer({ min: 0, max: 9 }), fc.record({ a: fc.string() }, { requiredKeys: [] }))),
      { nil: undefined },
    ),
    rest: fc.option(fc.dictionary(fc.string(), fc.option(fc.boolean())), { nil: undefined }),
  })
  fc.assert(
    fc.property(given, (input) => {
      const { data, success } = schema.safeParse(input)
      if (!success) return
      const stored = JSON.parse(JSON.stringify(data))
      expect(checkStoredInput({ input: schema }, stored)).toEqual(stored)
    }),
  )
})

test('new defaults apply, and members that the schema does not know any more are left out', () => {
  const input = z.object({ email: z.email(), copies: z.int().default(1) })
  expect(checkStoredInput({ input }, { email: 'a@b.example', old: true })).toEqual({
    email: 'a@b.example',
    copies: 1,
  })
})

test('a mismatch throws InvalidInput with JSON pointers', () => {
  const input = z.strictObject({ email: z.email('must be an e-mail address'), list: z.array(z.int()) })
  expect(() => checkStoredInput({ input }, { email: 'x', list: [1, 'a'], more: 1 })).toThrow(
    expect.objectContaining({
      name: 'InvalidInput',
      message:
        'The stored input does not match the schema of this version of the task: #/input/email: must be an e-mail address; #/input/list/1: Invalid input: expected number, received string; #/input/more: This member is not known',
    }),
  )
})

test('a refinement that has become false does not fail a task', () => {
  const input = z.object({ at: z.iso.datetime().refine((at) => at > '2020', 'must be in the future') })
  const stored = { at: '2019-01-01T00:00:00Z' }
  expect(checkStoredInput({ input }, stored)).toBe(stored)
  expect(() => checkStoredInput({ input }, { at: 1 })).toThrow('#/input/at')
})

test('a stored input of another schema is returned as it is', () => {
  const stored = { a: 5 }
  expect(checkStoredInput({ input: z.object({ a: z.string().transform(Number) }) }, stored)).toBe(stored)
})
