// Parses and writes JSON with every digit of a number. `JSON.parse` rounds numbers with more digits
// than a double can keep; most such numbers are ids, which people compare digit by digit. It also reads 1e999
// as Infinity, which `JSON.stringify` writes as null.
import { parse, stringify } from 'lossless-json'
import { isRounded } from '../../../src/base/exact-json.ts'

/** A number that a double would change: it has too many digits, or is too large or too small. */
export class ExactNumber {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  /**
   * Called by JSON.stringify. Returns the exact number if the browser supports `JSON.rawJSON`, otherwise the
   * nearest double.
   */
  toJSON(): unknown {
    const { rawJSON }: { rawJSON?: (text: string) => unknown } = Object(JSON)
    return rawJSON ? rawJSON(this.text) : Number(this.text)
  }
}

/** Error in a JSON text. The message says where and what is expected. Lines and columns count from 1. */
export class JsonFault extends Error {
  constructor({ message }: Error, text: string) {
    // The messages of lossless-json end with the position, e.g. "Array item expected but got ']' at position 7".
    const [, reason = message, offset] = /^(.*) at position (\d+)$/s.exec(message) ?? []
    const before = text.slice(0, Number(offset ?? text.length)).split('\n')
    super(`Line ${before.length}, column ${(before.at(-1) ?? '').length + 1}: ${reason}.`)
  }
}

// Finds numbers that a double may change: 16 or more characters (digits and decimal point), or an exponent of
// three digits. Only they need the exact parser, because a double keeps up to 15 significant digits.
const POSSIBLY_INEXACT = /\d[\d.]{15}|\d[eE][+-]?\d{3}/

/** Parses JSON. A number that a double would change becomes an ExactNumber. @throws JsonFault */
export function parseJson(text: string): unknown {
  if (!POSSIBLY_INEXACT.test(text)) {
    try {
      return JSON.parse(text)
    } catch {
      // Ignores the error of the browser, which does not always contain the position. `parse` reads the text
      // again and throws an error with the position.
    }
  }
  try {
    return parse(text, undefined, { parseNumber: numberOf, onDuplicateKey: ({ newValue }) => newValue })
  } catch (error) {
    // A RangeError means that the text is nested too deeply for the recursive parser.
    throw new JsonFault(error instanceof SyntaxError ? error : new Error('This is nested too deeply'), text)
  }
}

/**
 * Like JSON.stringify, but writes an ExactNumber with all its digits in every browser.
 * @param indent spaces per level; 0 for a text without line breaks
 */
export function stringifyJson(value: unknown, indent = 0): string {
  return stringify(value, undefined, indent, [EXACT_NUMBER]) ?? 'null'
}

const EXACT_NUMBER = {
  test: (value: unknown) => value instanceof ExactNumber,
  stringify: (value: unknown) => (value as ExactNumber).text,
}

function numberOf(text: string): number | ExactNumber {
  return isRounded(text) ? new ExactNumber(text) : Number(text)
}

/** Whether a value is an object other than an array. True for an `ExactNumber` too. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
