// Checks the stored input of a task again when an attempt begins: it may have been stored under an older schema.
import { z } from 'zod'
import { faultsOf } from '../base/faults.ts'
import { PermanentError, type TaskDefinition } from './define.ts'

/** Thrown if a stored input does not match the schema. No further attempt can succeed. */
export class InvalidInput extends PermanentError {
  constructor(error: Pick<z.core.$ZodError, 'issues'>) {
    const faults = faultsOf(error, ['input']).map(({ pointer, detail }) => `${pointer}: ${detail}`)
    super(`The stored input does not match the schema of this version of the task: ${faults.join('; ')}`)
    this.name = 'InvalidInput'
  }
}

type Checked = Pick<TaskDefinition, 'input'>

/**
 * Parses a stored input, which is the result of parsing the input of a submission, once more, so that new defaults
 * apply. Returns it unchanged if the schema cannot be applied twice. Failed refinements are ignored: they may depend
 * on the time, as "must be in the future", and were fulfilled at the submission.
 * @throws InvalidInput
 */
export function checkStoredInput({ input: schema }: Checked, stored: unknown): unknown {
  if (!canApplyTwice(schema)) return stored
  const parsed = schema.safeParse(stored)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.filter(({ code }) => code !== 'custom')
  if (issues.length === 0) return stored
  throw new InvalidInput({ issues })
}

const known = new WeakMap<z.core.$ZodType, boolean>()

/**
 * Whether parsing the result of the schema, as JSON, returns the same result: the schema only checks values and adds
 * defaults. Found out once per schema.
 */
export function canApplyTwice(schema: z.core.$ZodType): boolean {
  const found = known.get(schema)
  if (found !== undefined) return found
  const result = isStable(schema, new Set())
  known.set(schema, result)
  return result
}

/** @param visited the schemas that were visited before: a schema can contain itself */
function isStable(given: z.core.$ZodType, visited: Set<z.core.$ZodType>): boolean {
  if (visited.has(given)) return true
  visited.add(given)
  const schema = given as z.core.$ZodTypes
  const { def } = schema._zod
  const all = (inner: readonly (z.core.$ZodType | null | undefined)[]) =>
    inner.every((each) => !each || isStable(each, visited))
  if (('coerce' in def && def.coerce) || !hasStableChecks(schema)) return false
  switch (def.type) {
    case 'string':
    case 'number':
    case 'boolean':
    case 'null':
    case 'undefined':
    case 'void':
    case 'never':
    case 'any':
    case 'unknown':
    case 'enum':
    case 'literal':
    case 'template_literal':
    case 'custom':
      return true
    case 'object':
      return all([...Object.values(def.shape), def.catchall])
    case 'array':
      return all([def.element])
    case 'tuple':
      return all([...def.items, def.rest])
    case 'record':
      return all([def.keyType, def.valueType])
    case 'union':
      return all(def.options)
    case 'intersection':
      return all([def.left, def.right])
    case 'optional':
    case 'nullable':
    case 'nonoptional':
    case 'readonly':
    case 'prefault':
    case 'catch':
      return all([def.innerType])
    case 'default':
      // zod does not parse a default. One that the schema would refuse cannot be parsed again.
      return all([def.innerType]) && z.safeParse(def.innerType, def.defaultValue).success
    case 'lazy':
      return all([def.getter()])
    // Transforms, pipes and codecs change values; dates, maps and others are not the same after JSON.
    default:
      return false
  }
}

/**
 * Whether the checks of the schema accept what they have returned. Those that change the value, such as `trim`, must
 * be known, and come first: a value that has passed `min(3)` may be shorter after a later `trim`.
 */
function hasStableChecks({ _zod: { def } }: z.core.$ZodTypes): boolean {
  const checks = def.checks ?? []
  const first = 'format' in def ? 0 : checks.findIndex((check) => !isChange(check))
  const later = first < 0 ? [] : checks.slice(first)
  return checks.every((check) => !isChange(check) || isKnownChange(check)) && !later.some(isChange)
}

function isChange(check: z.core.$ZodCheck<never>): boolean {
  return check._zod.def.check === 'overwrite'
}

// The functions of zod that change a string, as text: each call of `trim()` has a function of its own.
const CHANGES = new Set(
  [z.trim(), z.toLowerCase(), z.toUpperCase(), z.normalize(), z.slugify()].map(changeOf),
)

function isKnownChange(check: z.core.$ZodCheck<never>): boolean {
  return CHANGES.has(changeOf(check))
}

function changeOf(check: z.core.$ZodCheck<never>): string {
  return 'tx' in check._zod.def ? String(check._zod.def.tx) : ''
}
