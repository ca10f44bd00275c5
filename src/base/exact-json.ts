// Parses and writes JSON without rounding large numbers, which are often ids. `JSON.parse` converts numbers
// to doubles, which are exact for 15 digits only: 9007199254740993 becomes 9007199254740992, 1e999 Infinity.

// Matches numbers that `isSafeAsDouble` may reject: at least 16 digits before the decimal point, 16 characters
// and an exponent, or an exponent of three digits. Fractions without an exponent, which are frequent, do not
// match, because a reviver makes parsing several times as slow. The lookbehind lets a match begin only with the
// first digit of a number, which also keeps the time linear.
const POSSIBLY_LARGE = /\d(?<![\d.]\d)(?:\d{15}|[\d.]{15,}[eE]\+?\d)|\d[eE]\+?\d{3}/

// Declares the types of ECMAScript 2026, "JSON.parse source text access", because TypeScript lacks them.
const { parse, rawJSON, isRawJSON } = JSON as unknown as {
  parse(
    text: string,
    reviver: (name: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown
  rawJSON(text: string): object
  isRawJSON(value: unknown): boolean
}

/** Checks with one regular expression whether a text may contain a number that a double would change. */
export function mayHoldExactNumbers(text: string): boolean {
  return POSSIBLY_LARGE.test(text)
}

/**
 * Parses like `JSON.parse`, except for numbers beyond 2^53 - 1 whose digits a double would change. It returns
 * them as raw JSON objects (`JSON.rawJSON`), which `JSON.stringify` writes as they were read.
 * @throws SyntaxError
 */
export function parseExactly(text: string): unknown {
  if (!mayHoldExactNumbers(text)) return JSON.parse(text)
  try {
    return parse(text, (_name, value, { source }) =>
      typeof value === 'number' && source !== undefined && !isSafeAsDouble(source) ? rawJSON(source) : value,
    )
  } catch (error) {
    // A reviver needs more stack than the parser alone, so it fails on deeply nested JSON, which is then
    // parsed with rounding. Inputs and results of that depth are rejected later (`json-depth.ts`).
    if (error instanceof RangeError) return JSON.parse(text)
    throw error
  }
}

/**
 * Works like `JSON.stringify`, but writes a bigint as a JSON number.
 * @throws RangeError, TypeError like `JSON.stringify`
 */
export function stringifyExactly(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch (error) {
    // A TypeError means that the value contains a bigint or cannot be serialized at all. Bigints are replaced
    // only then, because searching each value for them first would double the cost of every result.
    if (!(error instanceof TypeError)) throw error
    return JSON.stringify(value, (_name, member) =>
      typeof member === 'bigint' ? rawJSON(String(member)) : member,
    )
  }
}

/** Checks whether `parseExactly` has returned this value in place of a number that a double would change. */
export function isExactNumber(value: unknown): boolean {
  return isRawJSON(value)
}

/** Checks whether conversion to a double changes the significant digits of a number, or makes it infinite. */
export function isRounded(text: string): boolean {
  const value = Number(text)
  return !Number.isFinite(value) || digitsOf(text) !== digitsOf(String(value))
}

/**
 * Checks whether the JSON text of a number may be converted to a double. It may if the conversion keeps the
 * significant digits, or if the absolute value is at most 2^53 - 1: there, only fractions are rounded.
 */
export function isSafeAsDouble(text: string): boolean {
  return Math.abs(Number(text)) <= Number.MAX_SAFE_INTEGER || !isRounded(text)
}

/** Returns the significant digits of a number: without sign, point, exponent, and zeros at either end. */
function digitsOf(text: string): string {
  const [mantissa = ''] = text.toLowerCase().split('e')
  const digits = mantissa.replace(/[-.]/g, '').replace(/^0+/, '')
  // Removes trailing zeros in a loop, because a regular expression such as /0+$/ takes quadratic time on a
  // long run of zeros before another digit.
  let end = digits.length
  while (digits[end - 1] === '0') end--
  return digits.slice(0, end)
}
