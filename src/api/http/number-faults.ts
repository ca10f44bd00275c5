// Numbers in a body that JavaScript cannot keep as they are written.
import { AppError, type Fault } from '../../base/errors.ts'
import { isExactNumber } from '../../base/exact-json.ts'
import { MAX_FAULTS, pointerOf } from '../../base/faults.ts'
import { MAX_DEPTH } from '../../base/json-depth.ts'

/**
 * A fault for each number that could not be kept as it is written; the first of them where they are many. What lies too
 * deep to be looked at is refused for that. @param base where the value stands in the body
 */
export function numberFaultsOf(body: unknown, base: string[] = []): Fault[] {
  const faults: Fault[] = []
  look(body, base)
  return faults

  function look(value: unknown, path: string[]) {
    if (typeof value !== 'object' || value === null || faults.length === MAX_FAULTS) return
    if (isExactNumber(value)) faults.push(numberFault(path))
    else if (path.length <= MAX_DEPTH + BODY_LEVELS)
      for (const [name, member] of Object.entries(value)) look(member, [...path, name])
  }
}

// How far down in a body an input lies: in a batch below `tasks`, its place, and `input`.
const BODY_LEVELS = 3

export function numberFault(path: string[]): Fault {
  return { pointer: pointerOf(path), detail: 'is too large to be kept as it is written: send it as a string' }
}

/** @throws AppError `invalid_input` if there is at least one fault */
export function refuseAny(faults: Fault[]) {
  if (faults.length > 0) throw new AppError('invalid_input', 'The body is not valid', { faults })
}
