// JSON whose large numbers stay as they are written. `JSON.parse` makes doubles of numbers, which hold 15 digits for
// certain: 9007199254740993 becomes …992, and 1e999 nothing at all. Such numbers are ids more often than not.

// 16 digits, or an exponent of three.
const SUSPECT = /\d[\d.]{15}|\d[eE]\+?\d{3}/

// Of ECMAScript 2026 ("JSON.parse source text access"), which TypeScript does not know yet.
const { parse, rawJSON, isRawJSON } = JSON as unknown as {
  parse(
    text: string,
    reviver: (name: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown
  rawJSON(text: string): object
  isRawJSON(value: unknown): boolean
}

/** Whether a text can hold a number that a double would change; one look is all that most texts cost. */
export function mayHoldExactNumbers(text: string): boolean {
  return SUSPECT.test(text)
}

/**
 * As `JSON.parse`, but a number that a double would change stands there as an object that `JSON.stringify` writes as it was
 * read. Fractions are rounded, as everywhere. @throws SyntaxError
 */
export function parseExactly(text: string): unknown {
  if (!mayHoldExactNumbers(text)) return JSON.parse(text)
  try {
    return parse(text, (_name, value, { source }) =>
      typeof value === 'number' && source !== undefined && !isKept(source) ? rawJSON(source) : value,
    )
  } catch (error) {
    // Whoever looks at every value runs out of stack where the parser alone does not: what is nested like that is no
    // input and no result.
    if (error instanceof RangeError) return JSON.parse(text)
    throw error
  }
}

/** As `JSON.stringify`, but takes a bigint for the number that it is. @throws RangeError, TypeError as that */
export function stringifyExactly(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch (error) {
    // A bigint, or what nobody can write. It is not looked for before: that would double what every result costs.
    if (!(error instanceof TypeError)) throw error
    return JSON.stringify(value, (_name, member) =>
      typeof member === 'bigint' ? rawJSON(String(member)) : member,
    )
  }
}

/** Whether this stands for a number that a double would change. */
export function isExactNumber(value: unknown): boolean {
  return isRawJSON(value)
}

/** Whether a double is written with other digits than the number that was given. */
export function isRounded(written: string): boolean {
  const value = Number(written)
  return !Number.isFinite(value) || digitsOf(written) !== digitsOf(String(value))
}

/** Whether a number may be kept as a double: one that is not large, or keeps its digits. */
export function isKept(written: string): boolean {
  return Math.abs(Number(written)) <= Number.MAX_SAFE_INTEGER || !isRounded(written)
}

/** The significant digits, without what says only how large it is. */
function digitsOf(written: string): string {
  const [mantissa = ''] = written.toLowerCase().split('e')
  const digits = mantissa.replace(/[-.]/g, '').replace(/^0+/, '')
  // Not by a pattern: it would begin anew at every one of a hundred thousand zeros before another digit.
  let end = digits.length
  while (digits[end - 1] === '0') end--
  return digits.slice(0, end)
}
