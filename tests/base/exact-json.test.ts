// JSON whose large numbers stay as they are written, read and written.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isExactNumber, isKept, parseExactly, stringifyExactly } from '../../src/base/exact-json.ts'

describe('what is read', () => {
  test.each([
    '9007199254740993',
    '-12345678901234567890',
    '1e999',
    '1E+999',
    '1234567890.12345678901e9',
    '18446744073709551616',
  ])('%s is written as it was', (text) => {
    expect(isExactNumber(parseExactly(text))).toBe(true)
    expect(stringifyExactly(parseExactly(`{"a":[${text}]}`))).toBe(`{"a":[${text}]}`)
    expect(isKept(text)).toBe(false)
  })

  test.each([
    '0',
    '-0',
    '1e308',
    '1e21',
    '100000000000000000000',
    '9007199254740992',
    '0.12345678901234567890',
    '1e-999',
    '5e-324',
  ])('%s is the number that JSON.parse makes of it', (text) => {
    expect(parseExactly(text)).toBe(JSON.parse(text))
    expect(isKept(text)).toBe(true)
  })

  test('is otherwise what JSON.parse reads, texts that look like numbers too', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify({ value, id: '9007199254740993', at: 0.1234567890123456 })
        expect(parseExactly(text)).toEqual(JSON.parse(text))
      }),
    )
  })

  test('is refused where JSON.parse refuses it', () => {
    expect(() => parseExactly('{"a":9007199254740993,}')).toThrow(SyntaxError)
  })

  test.each([
    ['a fraction', `10000000000000000.${'0'.repeat(250_000)}1`],
    ['an exponent', `1${'0'.repeat(250_000)}1e-249980`],
    ['many', `[${'10000000000000001,'.repeat(10_000)}1]`],
  ])('costs no more than its length, with zeros up to the last digit: %s', (_kind, text) => {
    // Where every zero is looked at again from each before it, this takes minutes: more than a test may.
    expect(stringifyExactly(parseExactly(text)) === text).toBe(true)
  })

  test('may be nested deeper than anybody can look', () => {
    const text = `${'['.repeat(100_000)}9007199254740993${']'.repeat(100_000)}`
    expect(Array.isArray(parseExactly(text))).toBe(true)
  })
})

test('a bigint is written as the number that it is, and a circle is refused', () => {
  expect(stringifyExactly([2n ** 64n, { id: -1n }])).toBe('[18446744073709551616,{"id":-1}]')
  const circle: unknown[] = [1n]
  circle.push(circle)
  expect(() => stringifyExactly(circle)).toThrow(TypeError)
})
