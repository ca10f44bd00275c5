// JSON parser and serializer that keep every digit of a number. `JSON.parse` rounds numbers with more digits
// than a double can keep; most such numbers are ids, which people compare digit by digit. It also reads 1e999
// as Infinity, which `JSON.stringify` writes as null.
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
  readonly line: number
  readonly column: number

  constructor(expected: string, text: string, offset: number) {
    const before = text.slice(0, offset).split('\n')
    const [line, column] = [before.length, (before.at(-1) ?? '').length + 1]
    super(`Line ${line}, column ${column}: ${expected}.`)
    this.line = line
    this.column = column
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
      // Ignores the error of the browser, which does not always contain the position. `createReader` parses
      // the text again and throws an error with the line and the column.
    }
  }
  return createReader(text).readAll()
}

/**
 * Like JSON.stringify, but writes an ExactNumber with all its digits in every browser.
 * @param indent spaces per level; 0 for a text without line breaks
 * @param outer spaces before the closing bracket; set by the recursion
 */
export function stringifyJson(value: unknown, indent = 0, outer = ''): string {
  if (value instanceof ExactNumber) return value.text
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const inner = `${outer}${' '.repeat(indent)}`
  const parts = Array.isArray(value)
    ? value.map((item) => stringifyJson(item, indent, inner))
    : Object.entries(value)
        .filter(([, member]) => member !== undefined)
        .map(([name, member]) => {
          return `${JSON.stringify(name)}:${indent > 0 ? ' ' : ''}${stringifyJson(member, indent, inner)}`
        })
  const [open, close] = Array.isArray(value) ? '[]' : '{}'
  if (parts.length === 0) return `${open}${close}`
  return indent > 0
    ? `${open}\n${inner}${parts.join(`,\n${inner}`)}\n${outer}${close}`
    : `${open}${parts.join(',')}${close}`
}

// Matches a JSON number (RFC 8259, section 6).
const NUMBER = /-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y
const LITERALS: [literal: string, value: unknown][] = [
  ['true', true],
  ['false', false],
  ['null', null],
]
// Maximum number of nested levels, so that the recursive parser cannot overflow the stack. The API accepts
// fewer levels, and browsers overflow at far more.
const MAX_LEVELS = 500

function createReader(text: string) {
  let offset = 0
  return {
    readAll() {
      const value = readValue(0)
      skipSpace()
      if (offset < text.length) fail('the end of the text is expected here')
      return value
    },
  }

  function readValue(level: number): unknown {
    skipSpace()
    if (level > MAX_LEVELS) fail('this value is nested too deeply')
    const character = text[offset]
    if (character === '{') return readObject(level)
    if (character === '[') return readList(level)
    if (character === '"') return readText()
    for (const [literal, value] of LITERALS) {
      if (!text.startsWith(literal, offset)) continue
      offset += literal.length
      return value
    }
    return numberOf(take(NUMBER) ?? fail('a value is expected here; strings need double quotes'))
  }

  function readObject(level: number): object {
    const members: [string, unknown][] = []
    offset++
    for (let isFirst = true; !takeMark('}'); isFirst = false) {
      if (!isFirst && !takeMark(',')) fail('a comma or } is expected here')
      skipSpace()
      if (text[offset] !== '"') fail('a name in double quotes is expected here')
      const name = readText()
      if (!takeMark(':')) fail('a colon is expected here')
      members.push([name, readValue(level + 1)])
    }
    return Object.fromEntries(members)
  }

  function readList(level: number): unknown[] {
    const items: unknown[] = []
    offset++
    for (let isFirst = true; !takeMark(']'); isFirst = false) {
      if (!isFirst && !takeMark(',')) fail('a comma or ] is expected here')
      items.push(readValue(level + 1))
    }
    return items
  }

  function readText(): string {
    let end = offset + 1
    while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1
    try {
      const read: string = JSON.parse(text.slice(offset, end + 1))
      offset = end + 1
      return read
    } catch {
      return fail('this string has no closing quote, or contains a character that must be escaped')
    }
  }

  function take(pattern: RegExp): string | undefined {
    pattern.lastIndex = offset
    const [found] = pattern.exec(text) ?? []
    offset += found?.length ?? 0
    return found
  }

  function takeMark(mark: string): boolean {
    skipSpace()
    const isThere = text[offset] === mark
    if (isThere) offset++
    return isThere
  }

  function skipSpace() {
    while (offset < text.length && ' \t\n\r'.includes(text[offset] ?? '')) offset++
  }

  function fail(expected: string): never {
    throw new JsonFault(expected, text, offset)
  }
}

function numberOf(text: string): number | ExactNumber {
  return isRounded(text) ? new ExactNumber(text) : Number(text)
}

/** Whether a value is an object other than an array. True for an `ExactNumber` too. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
