// Faults in a document, named by JSON Pointers.
import type { z } from 'zod'
import type { Fault } from './errors.ts'

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
