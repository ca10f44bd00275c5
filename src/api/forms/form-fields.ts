// Converts the strings of forms and query strings into the types that a definition requires.
import { isSafeAsDouble } from '../../base/exact-json.ts'
import type { TaskDefinition } from '../../definitions/define.ts'
import { numberFault, rejectFaults } from '../http/number-faults.ts'
import { schemaOf } from '../tasks/task-view.ts'

/**
 * Converts a string into a number where the definition requires a number and the string is one. Other values
 * stay as they are, and the validation of the input rejects them if they are wrong.
 * @throws AppError `invalid_input` for a number that a double would change
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
