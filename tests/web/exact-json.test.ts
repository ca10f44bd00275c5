// JSON on the page: numbers that a double would change are shown and sent as they were written.
import { describe, expect, test } from 'vitest'
import { ExactNumber, parseJson, stringifyJson } from '../../web/src/parts/exact-json.ts'

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
