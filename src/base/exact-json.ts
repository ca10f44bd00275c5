// Parses and writes JSON without rounding large numbers, which are often ids. `JSON.parse` converts numbers
// to doubles, which are exact for 15 digits only: 9007199254740993 becomes 9007199254740992, 1e999 Infinity.

// 16 digits, or 15 and a decimal point, or an exponent of three digits. A double keeps all shorter numbers.
const POSSIBLY_LARGE = /\d[\d.]{15}|\d[eE]\+?\d{3}/

// ECMAScript 2026, "JSON.parse source text access". TypeScript has no types for it yet.
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
 * Parses like `JSON.parse`, but returns a large number that a double would change as a raw JSON object, which
 * `JSON.stringify` writes digit by digit as it was read. Long fractions of smaller numbers are rounded.
 * @throws SyntaxError
 */
export function parseExactly(text: string): unknown {
  if (!mayHoldExactNumbers(text)) return JSON.parse(text)
  try {
    return parse(text, (_name, value, { source }) =>
      typeof value === 'number' && source !== undefined && !isSafeAsDouble(source) ? rawJSON(source) : value,
    )
  } catch (error) {
    // On deeply nested JSON the reviver exceeds the stack, while the parser alone does not. Rounding is
    // acceptable here: inputs and results of that depth are rejected (`json-depth.ts`).
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
    // The value contains a bigint or cannot be written at all. Searching every value for bigints before the
    // first attempt would double the cost of every result.
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
 * Checks whether a number may be stored as a double: its absolute value is at most 2^53 - 1, where only
 * fractions are rounded, or its digits do not change.
 */
export function isSafeAsDouble(text: string): boolean {
  return Math.abs(Number(text)) <= Number.MAX_SAFE_INTEGER || !isRounded(text)
}

/** The significant digits of a number: no sign, point, exponent, or zeros at either end. */
function digitsOf(text: string): string {
  const [mantissa = ''] = text.toLowerCase().split('e')
  const digits = mantissa.replace(/[-.]/g, '').replace(/^0+/, '')
  // A regular expression such as /0+$/ takes quadratic time on a long run of zeros before another digit.
  let end = digits.length
  while (digits[end - 1] === '0') end--
  return digits.slice(0, end)
}
