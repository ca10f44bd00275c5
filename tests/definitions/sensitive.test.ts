// Where sensitive values are, and how they are masked.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { isSensitiveAt, MASK, masked, maskOf, pathsOfMasks } from '../../src/definitions/sensitive.ts'

const secret = z.string().meta({ sensitive: true })

interface Tree {
  key?: string
  children?: Tree[]
}
const tree: z.ZodType<Tree> = z.object({
  key: secret.optional(),
  get children() {
    return z.array(tree).optional()
  },
})

const CASES: [string, z.ZodType, unknown, unknown][] = [
  ['a member', z.object({ a: secret, b: z.string() }), { a: 'x', b: 'y' }, { a: MASK, b: 'y' }],
  ['a whole object', z.object({ a: z.string() }).meta({ sensitive: true }), { a: 'x' }, MASK],
  [
    'absent and null values',
    z.object({ a: secret.nullish(), b: secret.optional() }),
    { a: null },
    { a: null },
  ],
  ['a number', z.object({ a: z.number().meta({ sensitive: true }).default(3) }), { a: 3 }, { a: MASK }],
  [
    'further checks',
    z.object({
      a: secret
        .min(1)
        .refine(() => true)
        .readonly(),
    }),
    { a: 'x' },
    { a: MASK },
  ],
  ['elements', z.array(z.object({ a: secret })), [{ a: 'x' }, { a: 'y' }], [{ a: MASK }, { a: MASK }]],
  ['a tuple', z.tuple([z.string(), secret], secret), ['a', 'b', 'c'], ['a', MASK, MASK]],
  ['a record', z.record(z.string(), secret), { a: 'x', b: 'y' }, { a: MASK, b: MASK }],
  ['a catchall', z.object({ a: z.string() }).catchall(secret), { a: 'x', b: 'y' }, { a: 'x', b: MASK }],
  [
    'alternatives',
    z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('a'), value: secret }),
      z.object({ kind: z.literal('b'), other: z.string() }),
    ]),
    { kind: 'a', value: 'x', other: 'y' },
    { kind: 'a', value: MASK, other: 'y' },
  ],
  [
    'an intersection',
    z.intersection(z.object({ a: secret }), z.object({ b: secret })),
    { a: 'x', b: 'y', c: 'z' },
    { a: MASK, b: MASK, c: 'z' },
  ],
  ['both ends of a pipe', z.preprocess((value) => value, z.object({ a: secret })), { a: 'x' }, { a: MASK }],
  ['a transform', z.object({ a: secret }).transform(({ a }) => ({ b: a })), { b: 'x' }, MASK],
  [
    'a schema that contains itself',
    tree,
    { key: 'x', children: [{ children: [{ key: 'y' }] }] },
    { key: MASK, children: [{ children: [{ key: MASK }] }] },
  ],
  ['a value of another type', z.object({ a: z.object({ b: secret }) }), { a: 'old' }, { a: 'old' }],
]

test.each(CASES)('masks %s', (_, schema, value, expected) => {
  const mask = maskOf(schema)
  expect(mask && masked(mask, value)).toEqual(expected)
})

test('a schema without sensitive fields has no mask', () => {
  expect(maskOf(z.object({ a: z.string(), b: z.string().meta({ sensitive: false }) }))).toBeUndefined()
})

test('finds whether a path leads to, into or around a sensitive value', () => {
  const mask = maskOf(
    z.object({ a: z.object({ b: secret, c: z.string() }), list: z.array(secret), d: z.any() }),
  )
  const isHidden = (path: string) => mask && isSensitiveAt(mask, path.split('.'))
  for (const path of ['a.b', 'a', 'a.b.x', 'list', 'list.0', 'list.7.x'])
    expect(isHidden(path), path).toBe(true)
  for (const path of ['a.c', 'd', 'd.x', 'unknown']) expect(isHidden(path), path).toBe(false)
})

test('finds masks in place of sensitive values, and no others', () => {
  const mask = maskOf(
    z.object({ a: secret.optional(), list: z.array(z.union([secret, z.int()])), text: z.string() }),
  )
  const value = { a: MASK, list: [1, MASK], text: MASK }
  expect(mask && pathsOfMasks(mask, value)).toEqual([['a'], ['list', '1']])
})
