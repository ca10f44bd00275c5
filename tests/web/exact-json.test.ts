// JSON on the page: numbers that a double would change are shown and sent as they were written.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ExactNumber, JsonFault, parseJson, stringifyJson } from '../../web/src/parts/exact-json.ts'

describe('a number stays as it was written', () => {
  test.each(['9007199254740993', '0.12345678901234567', '1e999', '-1E+400', '1e-999', '12.5e0400'])(
    '%s',
    (text) => {
      expect(parseJson(text)).toEqual(new ExactNumber(text))
      expect(stringifyJson(parseJson(`{"a":[${text}]}`))).toBe(`{"a":[${text}]}`)
    },
  )
})

test.each(['0', '-0', '1.5', '1e21', '1e308', '5e-324', '1e0007', '100000000000000000000'])(
  '%s is a number, because a double keeps its digits',
  (text) => {
    expect(parseJson(text)).toBe(Number(text))
  },
)

test('a text that looks like such a number stays a text', () => {
  expect(parseJson('{"a":"1e999"}')).toEqual({ a: '1e999' })
})

test.each([
  ['[1, 2', "Line 1, column 6: Array item or end of array ']' expected but reached end of input."],
  ['{\n  "a": 1,\n}', "Line 3, column 1: Quoted object key expected but got '}'."],
  ["{'a': 1}", "Line 1, column 2: Quoted object key expected but got '''."],
  ['"\\x"', "Line 1, column 2: Invalid escape character '\\x'."],
  ['', 'Line 1, column 1: JSON value expected but reached end of input.'],
])('the error of %j says where it is and what is expected', (text, message) => {
  expect(() => parseJson(text)).toThrow(expect.objectContaining({ name: 'Error', message }))
})

test('the last of several members with one name counts, as in JSON.parse', () => {
  expect(parseJson('{"a":1,"a":9007199254740993}')).toEqual({ a: new ExactNumber('9007199254740993') })
})

test('a text that is nested too deeply is an error', () => {
  expect(() => parseJson(`${'['.repeat(100_000)}9007199254740993`)).toThrow(JsonFault)
})

test('all other JSON is read and written as by JSON.parse and JSON.stringify', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify({ value, at: 0.1234567890123456 })
      expect(parseJson(text)).toEqual(JSON.parse(text))
      for (const indent of [0, 2])
        expect(stringifyJson(JSON.parse(text), indent)).toBe(JSON.stringify(JSON.parse(text), null, indent))
    }),
  )
})
