// Fields of forms and query strings: converts strings to numbers where a definition requires numbers.
import { isSafeAsDouble } from '../../base/exact-json.ts'
import type { TaskDefinition } from '../../definitions/define.ts'
import { numberFault, rejectFaults } from '../http/number-faults.ts'
import { schemaOf } from './task-view.ts'

/**
 * Returns the fields with strings converted to numbers where the definition requires a number. Strings that
 * are not numbers stay as they are; the validation of the input rejects them later.
 * @throws AppError `invalid_input` for a number that would lose digits as a double
 */
export function coerceTexts(
  definition: TaskDefinition,
  fields: Record<string, unknown>,
): Record<string, unknown> {
  const properties: Record<string, { type?: unknown }> = schemaOf(definition.input).properties ?? {}
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      const type = properties[name]?.type
      const isNumber = (type === 'number' || type === 'integer') && looksLikeNumber(value)
      if (isNumber && !isSafeAsDouble(value)) rejectFaults([numberFault([name])])
      return [name, isNumber ? Number(value) : value]
    }),
  )
}

function looksLikeNumber(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== '' && !Number.isNaN(Number(value))
}
