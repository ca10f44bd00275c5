// Converts zod errors to faults: a JSON Pointer and a description for each.
import type { z } from 'zod'
import type { Fault } from './errors.ts'

// Limit per response: a person fixes a few at a time, and a body of 256 KiB can contain a hundred thousand.
export const MAX_FAULTS = 20

/** Returns at most `MAX_FAULTS` faults of a zod error. Their pointers begin with the path `base`. */
export function faultsOf(error: Pick<z.core.$ZodError, 'issues'>, base: string[] = []): Fault[] {
  const faults = error.issues.flatMap((issue) => {
    const path = [...base, ...issue.path.map(String)]
    // zod reports unknown members at their object; point to each member instead.
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
  // The reason why a member name is invalid is in the nested issues.
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? issue.message
  if (issue.code === 'invalid_type' && issue.expected === 'nonoptional') return 'must not be left out'
  return issue.message
}

/** Returns a JSON Pointer in URI fragment form (RFC 6901, 6). */
export function pointerOf(path: string[]): string {
  const escaped = path.map((step) => step.replaceAll('~', '~0').replaceAll('/', '~1'))
  // `encodeURI` throws on a lone surrogate.
  return ['#', ...escaped.map((step) => encodeURI(step.toWellFormed()))].join('/')
}
