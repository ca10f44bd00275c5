// Zod schemas of the requests to the tasks API.
import { z } from 'zod'
import { QUEUE_NAME } from '../../config.ts'
import { decimal } from '../http/request-query.ts'

const YEAR_SECONDS = 366 * 24 * 3_600

export const queueName = z
  .string()
  .regex(QUEUE_NAME, 'must be lower case letters, digits, - and _, at most 64')
// Postgres cannot store NUL or unpaired surrogates in a text. Labels must not contain any control character.
export const text = (maxLength: number) =>
  z
    .string()
    .min(1)
    .max(maxLength)
    .regex(/^[^\p{Cc}\p{Cs}]+$/u, 'must not contain control characters or unpaired surrogates')
export const label = text(64)
export const timestamp = z.iso.datetime({
  offset: true,
  error: 'must be an RFC 3339 time, e.g. 2030-01-31T12:00:00Z',
})

// End of the last year that ISO 8601 writes with four digits. Postgres cannot read the longer form.
const LAST_TIMESTAMP_MS = Date.UTC(10_000, 0) - 1

const submitOptions = z
  .strictObject({
    run_at: timestamp
      .refine((text) => !(Date.parse(text) > LAST_TIMESTAMP_MS), 'must be before the year 10000')
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
    // The service checks the URL against the input schema of `http_request`, which sends the callback.
    callback_url: z.string().max(2_048).optional(),
  })
  .refine((options) => options.run_at === undefined || options.delay_seconds === undefined, {
    error: 'run_at and delay_seconds must not be used together',
  })

/** Body of a submission. The service checks the input against its definition. */
export const submission = z.strictObject({ input: z.unknown(), options: submitOptions.optional() })

/** One task of a batch. */
export const batchItem = submission.extend({ name: z.string() })

/** Body of a batch. Its tasks are checked one by one, so the schema accepts any item. */
export const batchSubmission = z.strictObject({
  tasks: z.array(z.unknown()).min(1).max(1_000, 'must not have more than 1000 tasks'),
})

/** Body of a replay: the input and the options that differ from the replayed task. */
export const replay = z.strictObject({ input: z.unknown().optional(), options: submitOptions.optional() })

export const readQuery = z.strictObject({
  wait: decimal(z.number().min(0).max(50, 'must be at most 50 seconds').default(0)),
})

export const logsQuery = z.strictObject({
  after: decimal(z.int().min(0).default(0)),
  limit: decimal(z.int().min(1).max(1_000).default(200)),
})

/** Queries of routes that accept a poll token instead of an API key. */
export const readQueryWithToken = readQuery.extend({ poll_token: z.string().optional() })
export const logsQueryWithToken = logsQuery.extend({ poll_token: z.string().optional() })
