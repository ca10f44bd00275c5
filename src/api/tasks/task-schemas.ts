// Zod schemas of the responses of the tasks API. Types and /openapi.json are derived from them, and tests
// check every response against them. The API itself does not parse its own responses.
import { z } from 'zod'
import { PRIORITIES } from '../../definitions/limits.ts'
import { TASK_STATUSES } from '../../definitions/task-status.ts'
import { problemSchema } from '../http/problem.ts'

const timestamp = z.iso.datetime()
const status = z.enum(TASK_STATUSES)

/** Schema of the poll token in the response to a submission. */
export const pollTokenSchema = z.string().meta({
  description:
    'Allows reading this task without an API key. Only in responses to submissions, if the API requires keys',
})

/** Schema of the mark of a task that a submission has met. */
export const isExistingSchema = z.boolean().meta({
  description:
    'True if the submission has created no task, because it has met this one, which is unique. Only in responses to submissions',
})

export const taskError = z.object({
  name: z.string(),
  message: z.string(),
  retryable: z.boolean().meta({ description: 'Whether the error allows another attempt' }),
  stack: z.string().optional().meta({
    description:
      'Stack of the error. Present only if the error was thrown outside of the promise of its attempt.',
  }),
  stderr: z.string().optional().meta({
    description: 'Last lines of the standard error of an isolated process that ended during the attempt.',
  }),
})

export const progress = z.object({
  fraction: z.number().min(0).max(1).meta({ description: 'From 0 to 1' }),
  message: z.string().nullable(),
})

const refusedEnd = z.object({
  at: timestamp.meta({ description: 'When the attempt ended, by the clock of the worker' }),
  status: status.exclude(['STARTED']).meta({ description: 'Status that this end would have given the task' }),
  result: z.unknown().meta({
    description: 'The result; null if the attempt returned none, or if it is larger than 16 KiB of JSON',
  }),
  result_excerpt: z
    .string()
    .nullable()
    .meta({ description: 'The first 16 KiB of the JSON of a larger result; null if `result` is complete' }),
  error: taskError.nullable(),
  log: z.array(z.object({ at: timestamp, message: z.string() })).meta({
    description: 'The last lines of the log: at most 100 lines and 16 KiB, with their fields in `message`',
  }),
})

export const attempt = z.object({
  attempt: z.int().min(1),
  error: taskError,
  worker_id: z.uuid().nullable(),
  started_at: timestamp.nullable(),
  ended_at: timestamp,
  refused: refusedEnd.nullable().meta({
    description:
      'How the attempt ended after it had been given up, for example because its worker was missing. The end was refused: it has not changed the task',
  }),
})

export const task = z.object({
  id: z.uuid().meta({ description: 'UUIDv7: ids sort in the order of submission' }),
  name: z.string(),
  queue: z.string(),
  status,
  input: z.unknown(),
  result: z.unknown(),
  error: taskError.nullable().meta({ description: 'Why the last attempt failed' }),
  progress,
  attempt: z.int().min(0).meta({ description: 'Number of the current or last attempt; 0 before the first' }),
  failures: z.int().min(0).meta({ description: 'Failed attempts that count against `max_retries`' }),
  max_retries: z.int().min(0),
  timeout_seconds: z.number(),
  tags: z.array(z.string()),
  priority: z
    .enum(PRIORITIES)
    .meta({ description: 'Tasks with a higher priority start first within their queue' }),
  expires_at: timestamp
    .nullable()
    .meta({ description: 'The task ends as CANCELLED if it has not started by then' }),
  run_at: timestamp.meta({ description: 'The next attempt does not start before this time' }),
  created_at: timestamp,
  started_at: timestamp.nullable().meta({ description: 'Start of the last attempt' }),
  finished_at: timestamp.nullable(),
  worker_id: z.uuid().nullable(),
  is_isolated: z
    .boolean()
    .meta({ description: 'Whether attempts run in isolated processes, one at a time in each' }),
  cancel_requested_at: timestamp.nullable(),
  replayed_from: z.uuid().nullable().meta({ description: 'The task that this one replays' }),
  parent_id: z
    .uuid()
    .nullable()
    .meta({ description: 'The task for which this one was created, e.g. the task that a callback reports' }),
  callback_url: z
    .string()
    .nullable()
    .meta({ description: 'URL to which the task is posted when it has ended' }),
  callback_id: z
    .uuid()
    .nullable()
    .meta({ description: 'The task that sends the callback; null until this task has ended' }),
  request_id: z.string().nullable().meta({ description: 'X-Request-Id of the submission' }),
  traceparent: z.string().nullable().meta({ description: 'W3C Trace Context of the submission' }),
  is_final: z
    .boolean()
    .meta({ description: 'The task has finished. It changes only if a client retries it' }),
  poll_token: pollTokenSchema.optional(),
  is_existing: isExistingSchema.optional(),
  links: z.object({
    self: z.string(),
    events: z.string(),
    logs: z.string(),
    cancel: z.string(),
    retry: z.string(),
    replay: z.string(),
  }),
})

const wait = z.object({
  reason: z.enum(['due', 'paused', 'concurrency', 'rate', 'turn']).meta({
    description:
      '`due`: its time has not come. `paused`: its queue is paused. `concurrency`, `rate`: a limit is used up. `turn`: other tasks are first, or no worker has a free slot',
  }),
  scope: z
    .enum(['definition', 'queue'])
    .nullable()
    .meta({ description: 'Whose limit is used up; null for other reasons' }),
  key: z.string().nullable().meta({ description: 'Key of the limit; null if the limit has no keys' }),
  ahead: z.int().min(0).meta({
    description: 'Tasks with the same definition, priority and keys that start before it; at most 10,000',
  }),
  message: z.string(),
})

export const taskWithAttempts = task.extend({
  waits_for: wait.nullable().meta({
    description: 'What the task waits for if a limit, a priority or an expiry holds it; otherwise null',
  }),
  attempts: z.array(attempt).meta({ description: 'Failed and lost attempts, oldest first' }),
})

export const taskPage = z.object({
  data: z.array(task),
  next_cursor: z.uuid().nullable().meta({ description: '`cursor` of the next page; null on the last page' }),
})

export const logLine = z.object({
  id: z.int().min(1),
  attempt: z.int().min(0).meta({ description: 'Number of the attempt; 0 before the first' }),
  at: timestamp.meta({ description: 'Time by the clock of the worker' }),
  message: z.string(),
  fields: z.record(z.string(), z.unknown()).nullable(),
})

export const logLines = z.object({
  data: z.array(logLine),
  next_after: z.int().min(0).meta({
    description:
      '`after` of the next request. Also set if there are no more lines yet, so that a client can follow the log',
  }),
})

export const compactTask = task.omit({ input: true, result: true }).extend({
  input_excerpt: z.string().meta({ description: 'The first 200 characters of the JSON of the input' }),
  result_excerpt: z.string().nullable().meta({
    description: 'The first 200 characters of the JSON of the result; null until the task has succeeded',
  }),
})

export const compactTaskPage = taskPage.extend({ data: z.array(compactTask) })

export const taskCount = z.object({
  count: z
    .int()
    .min(0)
    .meta({ description: 'Number of matching tasks among those examined by this request' }),
  first_cursor: z.uuid().meta({
    description:
      'Position at which this count began. As `cursor` of a bulk action it excludes tasks that were submitted later',
  }),
  next_cursor: z.uuid().nullable().meta({
    description: '`cursor` of the next request, whose count must be added; null when all tasks were examined',
  }),
})

export const bulkResponse = z.object({
  changed: z.int().min(0),
  skipped: z
    .int()
    .min(0)
    .meta({ description: 'Selected tasks to which the action does not apply, e.g. because of their status' }),
  next_cursor: z
    .uuid()
    .nullable()
    .meta({ description: '`cursor` of the next request; null when all selected tasks were handled' }),
})

export const batchResponse = z.object({
  accepted: z.int().min(0),
  rejected: z.int().min(0),
  items: z.array(
    z.union([
      z.object({
        index: z.int().min(0),
        id: z.uuid(),
        is_existing: isExistingSchema.optional(),
        poll_token: pollTokenSchema.optional(),
      }),
      z.object({ index: z.int().min(0), problem: problemSchema }),
    ]),
  ),
})

/** Type of a JSON Schema (draft 2020-12), as zod writes it for an object schema. */
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

const isolation = z.object({
  memory_mb: z
    .int()
    .meta({ description: 'Memory that the process may use, in MiB; above it the attempt fails' }),
  kill_grace_seconds: z
    .number()
    .meta({ description: 'How long an attempt may run on after its abort, before its process is killed' }),
  max_attempts_per_process: z.int().meta({ description: 'Attempts after which a process is replaced' }),
})

const definitionLimit = z.object({
  limit: z.int().min(1),
  is_keyed: z.boolean().meta({ description: 'Whether the limit applies to each key of the tasks' }),
})

export const definition = z.object({
  name: z.string(),
  title: z.string(),
  description: z.string(),
  queue: z.string(),
  max_retries: z.int().min(0),
  timeout_seconds: z.number(),
  isolated: isolation.nullable().meta({
    description: 'Limits of attempts, which run in isolated processes; null if they run in the worker',
  }),
  priority: z.enum(PRIORITIES),
  concurrency: definitionLimit
    .nullable()
    .meta({ description: 'Limit of the attempts that run at the same time; null without a limit' }),
  rate_limit: definitionLimit
    .extend({ per_seconds: z.number() })
    .nullable()
    .meta({ description: 'Limit of the attempts that start in any `per_seconds`; null without a limit' }),
  input_schema: jsonSchema,
  output_schema: jsonSchema,
  example: z.unknown().meta({ description: 'A valid input' }),
})

export const definitions = z.object({ data: z.array(definition) })

/** Response of `GET /task_status/{id}`. */
export const taskStatus = z.object({
  task_id: z.uuid(),
  status,
  result: z.unknown().meta({ description: 'null until the task has succeeded' }),
  error: taskError.nullable(),
  progress,
})

/** Responses that have a name in the OpenAPI document. */
export const TASK_SCHEMAS = {
  Task: task,
  TaskWithAttempts: taskWithAttempts,
  TaskPage: taskPage,
  CompactTask: compactTask,
  CompactTaskPage: compactTaskPage,
  TaskCount: taskCount,
  TaskStatus: taskStatus,
  Status: status,
  TaskError: taskError,
  Progress: progress,
  Attempt: attempt,
  LogLine: logLine,
  LogLines: logLines,
  BatchResponse: batchResponse,
  BulkResponse: bulkResponse,
  Definition: definition,
  Definitions: definitions,
}
