// The shapes of the tasks API's answers, once: the types are derived from them, the document at /openapi.json is made of
// them, and the tests hold every answer against them. The API does not parse its own answers.
import { z } from 'zod'
import { TASK_STATUSES } from '../../definitions/task-status.ts'
import { problemSchema } from '../http/problem.ts'

const moment = z.iso.datetime()
const status = z.enum(TASK_STATUSES)

/** Beside the id of what was submitted. */
export const pollToken = z.string().meta({
  description: 'Reads this one task without a key; only in answers to submissions, where keys are in use',
})

export const taskError = z.object({
  name: z.string(),
  message: z.string(),
  retryable: z.boolean().meta({ description: 'Whether another attempt could have helped' }),
})

export const progress = z.object({
  fraction: z.number().min(0).max(1).meta({ description: 'How far it is, from 0 to 1' }),
  message: z.string().nullable(),
})

export const attempt = z.object({
  attempt: z.int().min(1),
  error: taskError,
  worker_id: z.uuid().nullable(),
  started_at: moment.nullable(),
  ended_at: moment,
})

export const task = z.object({
  id: z.uuid().meta({ description: 'UUIDv7: in the order of submission' }),
  name: z.string(),
  queue: z.string(),
  status,
  input: z.unknown(),
  result: z.unknown(),
  error: taskError.nullable().meta({ description: 'Why the last attempt failed' }),
  progress,
  attempt: z.int().min(0).meta({ description: 'Which run this is; 0 before the first' }),
  failures: z.int().min(0).meta({ description: 'How much of the retry budget is used' }),
  max_retries: z.int().min(0),
  timeout_seconds: z.number(),
  tags: z.array(z.string()),
  run_at: moment.meta({ description: 'Not before this moment' }),
  created_at: moment,
  started_at: moment.nullable().meta({ description: 'Start of the last attempt' }),
  finished_at: moment.nullable(),
  worker_id: z.uuid().nullable(),
  cancel_requested_at: moment.nullable(),
  replayed_from: z.uuid().nullable().meta({ description: 'The task of which this one is a replay' }),
  parent_id: z.uuid().nullable().meta({ description: 'The task on whose behalf this one runs' }),
  callback_url: z.string().nullable().meta({ description: 'Who is told when it has ended' }),
  callback_id: z
    .uuid()
    .nullable()
    .meta({ description: 'The task that tells them; null until this one has ended' }),
  request_id: z.string().nullable().meta({ description: 'X-Request-Id of its submission' }),
  traceparent: z.string().nullable().meta({ description: 'W3C Trace Context of its submission' }),
  is_final: z.boolean().meta({ description: 'Nothing changes any more, unless somebody asks for a retry' }),
  poll_token: pollToken.optional(),
  links: z.object({
    self: z.string(),
    events: z.string(),
    logs: z.string(),
    cancel: z.string(),
    retry: z.string(),
    replay: z.string(),
  }),
})

export const taskWithAttempts = task.extend({
  attempts: z.array(attempt).meta({ description: 'Every failed or lost attempt, first one first' }),
})

export const taskPage = z.object({
  data: z.array(task),
  next_cursor: z.uuid().nullable().meta({ description: 'For `cursor`; null on the last page' }),
})

export const logLine = z.object({
  id: z.int().min(1),
  attempt: z.int().min(1),
  at: moment.meta({ description: 'By the clock of the worker' }),
  message: z.string(),
  fields: z.record(z.string(), z.unknown()).nullable(),
})

export const logLines = z.object({
  data: z.array(logLine),
  next_after: z
    .int()
    .min(0)
    .meta({ description: 'For `after`; also where there are no more lines yet, for whoever follows' }),
})

export const compactTask = task.omit({ input: true, result: true }).extend({
  input_excerpt: z.string().meta({ description: 'The first 200 characters of its JSON' }),
  result_excerpt: z.string().nullable().meta({ description: 'null until it has succeeded' }),
})

export const compactTaskPage = taskPage.extend({ data: z.array(compactTask) })

export const taskCount = z.object({
  count: z.int().min(0).meta({ description: 'How many match among those that were looked at' }),
  first_cursor: z.uuid().meta({
    description: 'Where this look began: as `cursor` of a bulk action it leaves out what came later',
  }),
  next_cursor: z.uuid().nullable().meta({
    description: 'Where the next look begins, whose count is to be added; null when all were looked at',
  }),
})

export const bulkResponse = z.object({
  changed: z.int().min(0),
  skipped: z.int().min(0).meta({ description: 'Meant, but not in a state that the action is for' }),
  next_cursor: z
    .uuid()
    .nullable()
    .meta({ description: 'For `cursor` of the next call, which goes on; null when there is no more to do' }),
})

export const batchResponse = z.object({
  accepted: z.int().min(0),
  rejected: z.int().min(0),
  items: z.array(
    z.union([
      z.object({ index: z.int().min(0), id: z.uuid(), poll_token: pollToken.optional() }),
      z.object({ index: z.int().min(0), problem: problemSchema }),
    ]),
  ),
})

/** A JSON Schema (draft 2020-12) of the kind that zod makes of an object. */
export interface JsonSchema {
  type?: string
  title?: string
  description?: string
  format?: string
  properties?: Record<string, JsonSchema>
  required?: string[]
  [keyword: string]: unknown
}

const jsonSchema = z.custom<JsonSchema>().meta({ type: 'object', description: 'A JSON Schema (2020-12)' })

export const definition = z.object({
  name: z.string(),
  title: z.string(),
  description: z.string(),
  queue: z.string(),
  max_retries: z.int().min(0),
  timeout_seconds: z.number(),
  input_schema: jsonSchema,
  output_schema: jsonSchema,
  example: z.unknown().meta({ description: 'A valid input' }),
})

export const definitions = z.object({ data: z.array(definition) })
