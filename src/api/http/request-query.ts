// Validates query strings.
import { zValidator } from '@hono/zod-validator'
import { z } from 'zod'
import { AppError } from '../../base/errors.ts'

/**
 * Creates middleware that validates a query string.
 * @throws AppError (the middleware) `invalid_query`, with a message that names the parameter
 */
export function query<Schema extends z.ZodType>(schema: Schema) {
  return zValidator('query', schema, (result) => {
    if (!result.success) throw invalidQuery(result.error)
  })
}

/** Returns the AppError for a zod error of a query string. Its message names the first invalid parameter. */
export function invalidQuery({ issues: [issue] }: Pick<z.core.$ZodError, 'issues'>): AppError {
  const [name, detail] =
    issue?.code === 'unrecognized_keys'
      ? [issue.keys[0], 'is not known']
      : [issue?.path.join('.'), issue?.message]
  return new AppError('invalid_query', `Query parameter "${name?.slice(0, 64)}": ${detail}`)
}

/**
 * Returns a schema for the text of a query parameter. It converts decimal numbers only, because `Number`
 * alone would accept an empty string as 0, and hexadecimal digits. `schema` then validates the number and
 * rejects other texts.
 */
export const decimal = <Schema extends z.ZodType>(schema: Schema) =>
  z.preprocess((text) => (DECIMAL.test(String(text)) ? Number(text) : text), schema)
const DECIMAL = /^-?\d{1,20}(\.\d{1,20})?$/
