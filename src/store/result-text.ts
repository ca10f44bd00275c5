// What a result is stored as: JSON text within bounds, so that whatever carries it on (an answer, a page of tasks, a
// callback) can be written as well.
import { stringifyExactly } from '../exact-json.ts'

// As deep as an input may be; at a few thousand levels whoever wraps the result runs out of stack.
const MAX_LEVELS = 100
// Two hundred of them, the longest page of tasks, fit into one text (V8: 512 MiB). What is larger belongs into
// a store of files, with its address as the result.
const MAX_MIB = 1

/**
 * undefined for what JSON leaves out.
 * @throws RangeError for what is deeper or larger, TypeError for what is no JSON
 */
export function resultTextOf(result: unknown): string | undefined {
  const text = stringified(result)
  if (text === undefined) return undefined
  if (Buffer.byteLength(text) > MAX_MIB * 1024 * 1024)
    throw new RangeError(`it is larger than ${MAX_MIB} MiB`)
  if (isDeep(text)) throw new RangeError(`it is nested deeper than ${MAX_LEVELS} levels`)
  return text
}

function stringified(result: unknown): string | undefined {
  try {
    return stringifyExactly(result)
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    // Out of stack, or beyond the longest text that there can be.
    throw new RangeError(`it is nested deeper than ${MAX_LEVELS} levels or larger than ${MAX_MIB} MiB`, {
      cause,
    })
  }
}

/**
 * Whether JSON has more levels than a result may have. Counts brackets in the text, which is what others will read,
 * whatever objects it came from.
 */
export function isDeep(text: string): boolean {
  // Every level takes two brackets: most results need no look.
  if (text.length <= 2 * MAX_LEVELS) return false
  let levels = 0
  let isInString = false
  for (let index = 0; index < text.length; index++) {
    const character = text[index]
    if (character === '"') isInString = !isInString
    else if (character === '\\') index++
    else if (isInString) continue
    else if (character === '[' || character === '{') levels++
    else if (character === ']' || character === '}') levels--
    if (levels > MAX_LEVELS) return true
  }
  return false
}
