// Converts the texts of forms and query strings into the types that a definition asks for.
import { isKept } from '../../base/exact-json.ts'
import type { TaskDefinition } from '../../definitions/define.ts'
import { numberFault, refuseAny } from '../http/number-faults.ts'
import { schemaOf } from '../tasks/task-view.ts'

/**
 * Forms and query strings know only texts: turns those that look like it into the numbers the definition asks for.
 * @throws AppError `invalid_input` for a number that could not be kept as it is written
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
      if (isNumber && !isKept(value)) refuseAny([numberFault([name])])
      return [name, isNumber ? Number(value) : value]
    }),
  )
}

function looksLikeNumber(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== '' && !Number.isNaN(Number(value))
}
