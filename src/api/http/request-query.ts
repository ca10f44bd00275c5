// Checks query strings.
import { zValidator } from '@hono/zod-validator'
import { z } from 'zod'
import { AppError } from '../../base/errors.ts'

/** Checks a query string. @throws AppError `invalid_query` that names the parameter */
export function query<Schema extends z.ZodType>(schema: Schema) {
  return zValidator('query', schema, (result) => {
    if (!result.success) throw invalidQuery(result.error)
  })
}

/** Names the parameter. */
export function invalidQuery({ issues: [issue] }: Pick<z.core.$ZodError, 'issues'>): AppError {
  const [name, detail] =
    issue?.code === 'unrecognized_keys'
      ? [issue.keys[0], 'is not known']
      : [issue?.path.join('.'), issue?.message]
  return new AppError('invalid_query', `Query parameter "${name?.slice(0, 64)}": ${detail}`)
}

/** A number as people write it: `Number` alone takes an empty text for 0, and hexadecimal digits. */
export const written = <Schema extends z.ZodType>(schema: Schema) =>
  z.preprocess((text) => (DECIMAL.test(String(text)) ? Number(text) : text), schema)
const DECIMAL = /^-?\d{1,20}(\.\d{1,20})?$/
