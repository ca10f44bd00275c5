// Serializes results within limits, so that everything that contains a result (a response, a page of tasks, a
// callback) can be serialized too.
import { stringifyExactly } from '../base/exact-json.ts'
import { isTextDeeperThan, MAX_DEPTH } from '../base/json-depth.ts'

// Maximum size of a result in MiB. A page of 200 tasks with results of this size fits into one string (V8's
// limit: 512 MiB). Larger results belong in a file store, with the address of the file as the result.
const MAX_MIB = 1

/**
 * Serializes a result. Returns undefined for values that JSON omits, such as functions.
 * @throws RangeError if the result is too large or nested too deeply, TypeError if it cannot be serialized
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
    // `JSON.stringify` throws a RangeError if the stack overflows or if the text would exceed V8's maximum,
    // so the message names both limits.
    throw new RangeError(`it is nested deeper than ${MAX_DEPTH} levels or larger than ${MAX_MIB} MiB`, {
      cause,
    })
  }
}
