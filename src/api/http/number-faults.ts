// Finds numbers in a request body that would lose digits as a double, for example 9007199254740993.
import { AppError, type Fault } from '../../base/errors.ts'
import { isExactNumber } from '../../base/exact-json.ts'
import { MAX_FAULTS, pointerOf } from '../../base/faults.ts'
import { MAX_DEPTH } from '../../base/json-depth.ts'

/**
 * Returns a fault for each number that would lose digits as a double, at most MAX_FAULTS. Does not search
 * below the maximum depth of a task's input, because the validation of the input rejects deeper nesting.
 * @param body result of `parseExactly`, which marks such numbers
 * @param base path of `body` in the whole document, for the pointers of the faults
 */
export function numberFaultsOf(body: unknown, base: string[] = []): Fault[] {
  const faults: Fault[] = []
  visit(body, base)
  return faults

  function visit(value: unknown, path: string[]) {
    if (typeof value !== 'object' || value === null || faults.length === MAX_FAULTS) return
    if (isExactNumber(value)) faults.push(numberFault(path))
    else if (path.length <= MAX_DEPTH + BODY_LEVELS)
      for (const [name, member] of Object.entries(value)) visit(member, [...path, name])
  }
}

// Maximum number of levels from the top of a request body to a task's input. In a batch there are three:
// `tasks`, the index, and `input`.
const BODY_LEVELS = 3

export function numberFault(path: string[]): Fault {
  return { pointer: pointerOf(path), detail: 'is too large to be kept as it is written: send it as a string' }
}

/**
 * Throws if the list of invalid parts of the request is not empty.
 * @throws AppError `invalid_input`, whose response lists all faults
 */
export function rejectFaults(faults: Fault[]) {
  if (faults.length > 0) throw new AppError('invalid_input', 'The body is not valid', { faults })
}
