// Checks an input against its definition, and says what is wrong where.
import type { z } from 'zod'
import { AppError, type Fault } from './errors.ts'
import type { TaskDefinition } from './tasks/define.ts'

// Deeper than any document that people write, and far from where parsers run out of stack.
export const MAX_DEPTH = 100

/**
 * @param inputPath where the input stands in the caller's document, for the pointers of faults
 * @throws AppError `invalid_input`
 */
export function parseInput(definition: TaskDefinition, input: unknown, inputPath: string[]): unknown {
  if (isDeeperThan(MAX_DEPTH, input)) {
    throw new AppError('invalid_input', `Task "${definition.name}": the input is nested too deeply`, {
      faults: [
        { pointer: pointerOf(inputPath), detail: `must not be nested deeper than ${MAX_DEPTH} levels` },
      ],
    })
  }
  const parsed = definition.input.safeParse(input)
  if (parsed.success) return parsed.data
  throw new AppError('invalid_input', `Task "${definition.name}": the input is not valid`, {
    faults: faultsOf(parsed.error, inputPath),
  })
}

/** Never looks deeper than that itself. */
export function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((member) => isDeeperThan(levels - 1, member))
}

// As many as a person mends at once; a body of 256 KiB can have a hundred thousand.
export const MAX_FAULTS = 20

/** What zod found, as JSON Pointers (RFC 6901) below `base`; the first of them where they are many. */
export function faultsOf(error: Pick<z.core.$ZodError, 'issues'>, base: string[] = []): Fault[] {
  const faults = error.issues.flatMap((issue) => {
    const path = [...base, ...issue.path.map(String)]
    // An unexpected member is reported at its own place, not at the object's.
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        pointer: pointerOf([...path, key]),
        detail: 'This member is not known',
      }))
    }
    return [{ pointer: pointerOf(path), detail: detailOf(issue) }]
  })
  return faults.slice(0, MAX_FAULTS)
}

function detailOf(issue: z.core.$ZodIssue): string {
  // What is wrong with the name of a member stands one level below.
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? issue.message
  if (issue.code === 'invalid_type' && issue.expected === 'nonoptional') return 'must not be left out'
  return issue.message
}

/** A JSON Pointer in URI fragment form. */
export function pointerOf(path: string[]): string {
  const escaped = path.map((step) => step.replaceAll('~', '~0').replaceAll('/', '~1'))
  // A URI cannot express half of a character.
  return ['#', ...escaped.map((step) => encodeURI(step.toWellFormed()))].join('/')
}
