// Zod schemas of the bodies and queries of requests to the tasks API.
import { z } from 'zod'
import { QUEUE_NAME } from '../../config.ts'
import { PRIORITIES } from '../../definitions/limits.ts'
import { decimal } from '../http/request-query.ts'

const YEAR_SECONDS = 366 * 24 * 3_600

export const queueName = z
  .string()
  .regex(QUEUE_NAME, 'must be lower case letters, digits, - and _, at most 64')
// Creates the schema of a short text such as a tag. It rejects unpaired surrogates and NUL, which Postgres
// cannot store, and all other control characters. The pattern in its JSON Schema can be read by all common
// engines: Python does not know `\p`, Go does not know `\u`. It leaves out the surrogates, because texts are
// sent as UTF-8, which has none.
export const text = (maxLength: number) =>
  z
    .string()
    .min(1)
    .max(maxLength)
    .regex(/^[^\p{Cc}\p{Cs}]+$/u, 'must not contain control characters or unpaired surrogates')
    .meta({ pattern: '^[^\\x00-\\x1f\\x7f-\\x9f]+$' })
export const label = text(64)
export const timestamp = z.iso.datetime({
  offset: true,
  error: 'must be an RFC 3339 time, e.g. 2030-01-31T12:00:00Z',
})

// Latest `run_at`: the end of the year 9999. In JavaScript's ISO format, later years have a sign and six
// digits, which Postgres cannot read.
const LAST_TIMESTAMP_MS = Date.UTC(10_000, 0) - 1

const submitOptions = z
  .strictObject({
    run_at: timestamp
      .refine((text) => !(Date.parse(text) > LAST_TIMESTAMP_MS), 'must be before the year 10000')
      .optional()
      .meta({ description: 'Earliest start of the task.' }),
    delay_seconds: z
      .number()
      .min(0)
      .max(YEAR_SECONDS)
      .optional()
      .meta({ description: 'Delay in seconds before the task may start.' }),
    max_retries: z
      .int()
      .min(0)
      .max(100)
      .optional()
      .meta({ description: 'Maximum number of retries after failed attempts.' }),
    timeout_seconds: z
      .number()
      .min(0.1)
      .max(7 * 24 * 3_600)
      .optional()
      .meta({ description: 'Time limit of one attempt in seconds.' }),
    queue: queueName
      .optional()
      .meta({ description: 'Queue of the task. Only workers that serve this queue run it.' }),
    priority: z.enum(PRIORITIES).optional().meta({
      description: 'Priority of the task within its queue. Lower priorities still get one start in ten.',
    }),
    expires_at: timestamp
      .refine((text) => !(Date.parse(text) > LAST_TIMESTAMP_MS), 'must be before the year 10000')
      .optional()
      .meta({ description: 'The task ends as CANCELLED if it has not started by then.' }),
    expires_in_seconds: z
      .number()
      .positive()
      .max(YEAR_SECONDS)
      .optional()
      .meta({ description: 'The task ends as CANCELLED if it has not started within this time.' }),
    tags: z.array(label).max(20).optional().meta({ description: 'Labels for filtering.' }),
    // The schema checks only the length of the callback URL. The service checks the URL with the input schema
    // of the definition `callback`.
    callback_url: z
      .string()
      .max(2_048)
      .optional()
      .meta({ description: 'URL to which the task is posted when it has ended.' }),
  })
  .refine((options) => options.run_at === undefined || options.delay_seconds === undefined, {
    error: 'run_at and delay_seconds must not be used together',
  })
  .refine((options) => options.expires_at === undefined || options.expires_in_seconds === undefined, {
    error: 'expires_at and expires_in_seconds must not be used together',
  })
  .refine(({ run_at, expires_at }) => !(Date.parse(run_at ?? '') >= Date.parse(expires_at ?? '')), {
    error: 'expires_at must be after run_at',
  })
  .refine(
    ({ delay_seconds = 0, expires_in_seconds = Number.POSITIVE_INFINITY }) =>
      delay_seconds < expires_in_seconds,
    {
      error: 'expires_in_seconds must be more than delay_seconds',
    },
  )
  // The rules about pairs in JSON Schema, which zod does not generate from a refinement.
  .meta({
    allOf: [
      { not: { required: ['run_at', 'delay_seconds'], properties: { run_at: {}, delay_seconds: {} } } },
      {
        not: {
          required: ['expires_at', 'expires_in_seconds'],
          properties: { expires_at: {}, expires_in_seconds: {} },
        },
      },
    ],
  })

/** Body of a submission. It accepts any input; the service checks the input against the definition. */
export const submission = z.strictObject({ input: z.unknown(), options: submitOptions.optional() })

/** One task in the body of a batch: like a submission, with the name of the definition. */
export const batchItem = submission.extend({ name: z.string() })

/**
 * Body of a batch. It accepts any items: they are checked one by one later, so that an invalid item does not
 * reject the whole batch.
 */
export const batchSubmission = z.strictObject({
  tasks: z
    .array(z.unknown())
    .min(1)
    .max(1_000, 'must not have more than 1000 tasks')
    .meta({ items: { $ref: '#/components/schemas/BatchItem' } }),
})

/** Body of a replay: the input, if it differs from that of the original task, and the options that differ. */
export const replay = z.strictObject({ input: z.unknown().optional(), options: submitOptions.optional() })

const poll_token = z.string().optional()

export const readQuery = z.strictObject({
  reveal: z
    .enum(['true', 'false'])
    .transform((value) => value === 'true')
    .optional()
    .meta({
      description: 'Returns sensitive values instead of `[sensitive]`. Needs the scope `reveal`.',
    }),
  wait: decimal(z.number().min(0).max(50, 'must be at most 50 seconds').default(0)).meta({
    description: 'Maximum number of seconds to wait until the task has ended.',
  }),
  poll_token,
})

export const logsQuery = z.strictObject({
  after: decimal(z.int().min(0).default(0)).meta({
    description: 'The `next_after` of the previous response: only later lines are returned.',
  }),
  limit: decimal(z.int().min(1).max(1_000).default(200)).meta({ description: 'Maximum number of lines.' }),
  poll_token,
})

/** Schemas of requests that have a name in the OpenAPI document. */
export const REQUEST_SCHEMAS = {
  SubmitOptions: submitOptions,
  BatchItem: batchItem,
  BatchSubmission: batchSubmission,
  ReplayRequest: replay,
}
