// Parsing and serializing JSON without rounding large numbers.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isExactNumber, isSafeAsDouble, parseExactly, stringifyExactly } from '../../src/base/exact-json.ts'

describe('parseExactly', () => {
  test.each([
    '9007199254740993',
    '-12345678901234567890',
    '1e999',
    '1E+999',
    '1234567890.12345678901e9',
    '18446744073709551616',
  ])('keeps the digits of %s, which a double would change', (text) => {
    expect(isExactNumber(parseExactly(text))).toBe(true)
    expect(stringifyExactly(parseExactly(`{"a":[${text}]}`))).toBe(`{"a":[${text}]}`)
    expect(isSafeAsDouble(text)).toBe(false)
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
  ])('returns the same number as JSON.parse for %s', (text) => {
    expect(parseExactly(text)).toBe(JSON.parse(text))
    expect(isSafeAsDouble(text)).toBe(true)
  })

  test('keeps exactly the numbers that are not safe as a double', () => {
    const digits = (minLength: number) => fc.stringMatching(new RegExp(`^[0-9]{${minLength},24}$`))
    const numbers = fc
      .tuple(digits(0), fc.option(digits(1)), fc.constantFrom('', 'e', 'E+', 'e-'), fc.nat(1_100))
      .map(([whole, fraction, mark, exponent]) => {
        const decimals = fraction === null ? '' : `.${fraction}`
        return `${whole.replace(/^0+/, '') || '0'}${decimals}${mark && `${mark}${exponent}`}`
      })
    fc.assert(
      fc.property(numbers, fc.constantFrom('', '-'), (number, sign) => {
        const text = sign + number
        const [, parsed] = parseExactly(`[1,${text},2]`) as unknown[]
        if (isSafeAsDouble(text)) expect(parsed).toBe(Number(text))
        else expect(stringifyExactly(parsed)).toBe(text)
      }),
      { numRuns: 2_000 },
    )
  })

  test('returns the same value as JSON.parse for all other JSON, including strings of digits', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify({ value, id: '9007199254740993', at: 0.1234567890123456 })
        expect(parseExactly(text)).toEqual(JSON.parse(text))
      }),
    )
  })

  test('throws a SyntaxError where JSON.parse does', () => {
    expect(() => parseExactly('{"a":9007199254740993,}')).toThrow(SyntaxError)
  })

  test.each([
    ['a fraction', `10000000000000000.${'0'.repeat(250_000)}1`],
    ['an exponent', `1${'0'.repeat(250_000)}1e-249980`],
    ['many numbers', `[${'10000000000000001,'.repeat(10_000)}1]`],
    ['a long fraction', `[1.${'1'.repeat(250_000)}e300,10000000000000001]`],
  ])('takes linear time for numbers with many zeros before their last digit: %s', (_kind, text) => {
    // A pattern that backtracks over the zeros takes quadratic time: minutes, longer than the test's timeout.
    expect(stringifyExactly(parseExactly(text)) === text).toBe(true)
  })

  test('parses arrays that are nested too deep for a reviver', () => {
    const text = `${'['.repeat(100_000)}9007199254740993${']'.repeat(100_000)}`
    expect(Array.isArray(parseExactly(text))).toBe(true)
  })
})

test('stringifyExactly writes a bigint as a number and rejects a circular value', () => {
  expect(stringifyExactly([2n ** 64n, { id: -1n }])).toBe('[18446744073709551616,{"id":-1}]')
  const circular: unknown[] = [1n]
  circular.push(circular)
  expect(() => stringifyExactly(circular)).toThrow(TypeError)
})
