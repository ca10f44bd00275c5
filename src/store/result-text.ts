// What a result is stored as: JSON text within bounds, so that whatever carries it on (an answer, a page of tasks, a
// callback) can be written as well.
import { stringifyExactly } from '../base/exact-json.ts'
import { isTextDeeperThan, MAX_DEPTH } from '../base/json-depth.ts'

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
  if (isTextDeeperThan(MAX_DEPTH, text)) throw new RangeError(`it is nested deeper than ${MAX_DEPTH} levels`)
  return text
}

function stringified(result: unknown): string | undefined {
  try {
    return stringifyExactly(result)
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    // Out of stack, or beyond the longest text that there can be.
    throw new RangeError(`it is nested deeper than ${MAX_DEPTH} levels or larger than ${MAX_MIB} MiB`, {
      cause,
    })
  }
}
