// Converts zod errors to faults. A fault is a JSON Pointer to an invalid value, and a description.
import type { z } from 'zod'
import type { Fault } from './errors.ts'

// Maximum number of faults in a response. A person fixes a few at a time, and a request body of 256 KiB can
// contain a hundred thousand.
export const MAX_FAULTS = 20

/**
 * Returns the first `MAX_FAULTS` faults of a zod error.
 * @param base path of the validated value in the request body; the JSON Pointers of the faults begin with it
 */
export function faultsOf(error: Pick<z.core.$ZodError, 'issues'>, base: string[] = []): Fault[] {
  const faults = error.issues.flatMap((issue) => {
    const path = [...base, ...issue.path.map(String)]
    // zod reports all unknown members of an object in one issue; this returns one fault per unknown member.
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
  // zod's message for an invalid member name gives no reason; the reason is in the nested issues.
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? issue.message
  if (issue.code === 'invalid_type' && issue.expected === 'nonoptional') return 'must not be left out'
  return issue.message
}

/** Returns a JSON Pointer in URI fragment form (RFC 6901, 6). */
export function pointerOf(path: string[]): string {
  const escaped = path.map((step) => step.replaceAll('~', '~0').replaceAll('/', '~1'))
  // Replaces lone surrogates first, because `encodeURI` throws on them.
  return ['#', ...escaped.map((step) => encodeURI(step.toWellFormed()))].join('/')
}
