// What callers may send to the tasks API, as zod schemas.
import { zValidator } from '@hono/zod-validator'
import type { MiddlewareHandler } from 'hono'
import { createMiddleware } from 'hono/factory'
import { z } from 'zod'
import { QUEUE_NAME } from '../config.ts'
import { AppError } from '../errors.ts'
import { faultsOf } from '../task-input.ts'
import { hasBody, isJson, readJson } from './request-body.ts'
import type { ApiEnv } from './request-context.ts'

const YEAR_SECONDS = 366 * 24 * 3_600

export const queueName = z
  .string()
  .regex(QUEUE_NAME, 'must be lower case letters, digits, - and _, at most 64')
// Postgres cannot keep a NUL or half of a character in a text, and no control character belongs into a label.
export const text = (longest: number) =>
  z
    .string()
    .min(1)
    .max(longest)
    .regex(/^[^\p{Cc}\p{Cs}]+$/u, 'must not contain control characters or halves of characters')
export const label = text(64)
export const moment = z.iso.datetime({
  offset: true,
  error: 'must be an RFC 3339 time, e.g. 2030-01-31T12:00:00Z',
})

// The last one that ISO 8601 writes with four digits, as Postgres wants it.
const LAST_MOMENT_MS = Date.UTC(10_000, 0) - 1

const submitOptions = z
  .strictObject({
    run_at: moment
      .refine((text) => !(Date.parse(text) > LAST_MOMENT_MS), 'must be before the year 10000')
      .optional(),
    delay_seconds: z.number().min(0).max(YEAR_SECONDS).optional(),
    max_retries: z.int().min(0).max(100).optional(),
    timeout_seconds: z
      .number()
      .min(0.1)
      .max(7 * 24 * 3_600)
      .optional(),
    queue: queueName.optional(),
    tags: z.array(label).max(20).optional(),
    // Whether it is a URL that may be called is said by the task that calls it.
    callback_url: z.string().max(2_048).optional(),
  })
  .refine((options) => options.run_at === undefined || options.delay_seconds === undefined, {
    error: 'run_at and delay_seconds exclude each other',
  })

/** The body of a submission; the input itself is checked against its definition. */
export const submission = z.strictObject({ input: z.unknown(), options: submitOptions.optional() })

/** One of a batch. */
export const batchItem = submission.extend({ name: z.string() })

/** Many submissions; each is checked, accepted or refused on its own. */
export const batchSubmission = z.strictObject({
  tasks: z.array(z.unknown()).min(1).max(1_000, 'must not have more than 1000 tasks'),
})

/** What is to be different from the task that is replayed. */
export const replay = z.strictObject({ input: z.unknown().optional(), options: submitOptions.optional() })

/** A number as people write it: `Number` alone takes an empty text for 0, and hexadecimal digits. */
export const written = <Schema extends z.ZodType>(schema: Schema) =>
  z.preprocess((text) => (DECIMAL.test(String(text)) ? Number(text) : text), schema)
const DECIMAL = /^-?\d{1,20}(\.\d{1,20})?$/

export const readQuery = z.strictObject({
  wait: written(z.number().min(0).max(50, 'must be at most 50 seconds').default(0)),
})

export const logsQuery = z.strictObject({
  after: written(z.int().min(0).default(0)),
  limit: written(z.int().min(1).max(1_000).default(200)),
})

/** The same where a token may stand in for a key. */
export const readQueryWithToken = readQuery.extend({ poll_token: z.string().optional() })
export const logsQueryWithToken = logsQuery.extend({ poll_token: z.string().optional() })

export const statsQuery = z.strictObject({
  window: written(
    z
      .int()
      .min(60)
      .max(7 * 24 * 3_600)
      .default(3_600),
  ),
})

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

/**
 * Checks a JSON body; where it is optional, none is as good as an empty object.
 * @param options.answersItems leaves it to the route to refuse numbers that cannot be kept (`numberFaultsOf`), item by item
 * @throws AppError `malformed_json`, `unsupported_media_type`; `invalid_input` with a pointer for every fault
 */
export function jsonBody<Schema extends z.ZodType>(
  schema: Schema,
  { isOptional = false, answersItems = false } = {},
): MiddlewareHandler<ApiEnv, string, { in: { json: z.input<Schema> }; out: { json: z.output<Schema> } }> {
  // Not zod-validator's: its asynchronous parse would be a good part of what a submission costs; and it rounds numbers.
  const check = createMiddleware<ApiEnv>(async (c, next) => {
    const isAbsent = isOptional && c.req.header('Content-Type') === undefined && !hasBody(c)
    if (!isJson(c) && !isAbsent)
      throw new AppError(
        'unsupported_media_type',
        'The body must be JSON, with Content-Type: application/json',
      )
    const body = isAbsent ? {} : await readJson(c, { takesAnyNumber: answersItems })
    const result = schema.safeParse(body)
    if (!result.success) {
      throw new AppError('invalid_input', 'The body is not valid', { faults: faultsOf(result.error) })
    }
    c.req.addValidatedData('json', result.data as object)
    await next()
  })
  // Hono's type has as sent what the schema makes of it.
  return check as never
}
