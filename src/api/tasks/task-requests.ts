// What callers may send to the tasks API, as zod schemas.
import { z } from 'zod'
import { QUEUE_NAME } from '../../config.ts'
import { written } from '../http/request-query.ts'

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
const LAST_TIMESTAMP_MS = Date.UTC(10_000, 0) - 1

const submitOptions = z
  .strictObject({
    run_at: moment
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
