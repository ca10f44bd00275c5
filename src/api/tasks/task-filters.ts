// Zod schemas of task filters. Lists and counts of tasks take the filter fields from the query string. Bulk
// actions (cancel, retry, replay) take the same fields from the body.
import type { Context, MiddlewareHandler } from 'hono'
import { z } from 'zod'
import { isUuid } from '../../base/uuidv7.ts'
import { TASK_STATUSES } from '../../definitions/task-status.ts'
import type { InputCondition, TaskFilter } from '../../store/task-filter.ts'
import type { ApiEnv } from '../http/request-context.ts'
import { decimal, invalidQuery } from '../http/request-query.ts'
import type { Schema } from '../openapi/operation.ts'
import { label, queueName, text, timestamp } from './task-requests.ts'

/** Creates the schema of a parameter that contains one or more values, separated by commas. */
const commaSeparated = <Schema extends z.ZodType<unknown, string>>(schema: Schema) =>
  z
    .string()
    .transform((list) => [...new Set(list.split(','))])
    .pipe(z.array(schema).max(50, 'must have at most 50 values'))

/**
 * Filter fields that have fixed names. `withInputs` adds the fields `input.<path>`, which compare a member of
 * the task's input with a value.
 */
export const filterFields = z.strictObject({
  status: commaSeparated(z.enum(TASK_STATUSES))
    .optional()
    .meta({ description: 'One or more statuses, separated by commas.' }),
  name: commaSeparated(label)
    .optional()
    .meta({ description: 'One or more names of definitions, separated by commas.' }),
  queue: commaSeparated(queueName)
    .optional()
    .meta({ description: 'One or more names of queues, separated by commas.' }),
  worker: commaSeparated(z.uuid()).optional().meta({
    description: 'One or more ids of workers, separated by commas: the worker of the last attempt.',
  }),
  // `tag` is one tag and not a comma-separated list, because tags may contain commas.
  tag: label.optional().meta({ description: 'A tag of the task.' }),
  id: z
    .string()
    .refine(isIdPrefix, 'must be the beginning of a task id')
    .optional()
    .meta({ description: 'Beginning of the id.' }),
  q: text(200).optional().meta({
    description:
      'A text contained in name, tags, input, result or error. Case is ignored. Inputs and results with sensitive fields are searched only for keys with the scope `reveal`.',
  }),
  created_after: timestamp.optional().meta({ description: 'Submitted at this time or later.' }),
  created_before: timestamp.optional().meta({ description: 'Submitted before this time.' }),
})

export const cursor = z.uuid('must be the next_cursor of an earlier response')

export const listQuery = filterFields.extend({
  compact: z
    .enum(['true', 'false'])
    .transform((value) => value === 'true')
    .optional()
    .meta({
      description: 'Returns the first 200 characters of input and result instead of the whole values.',
    }),
  limit: decimal(z.int().min(1).max(200).default(50)).meta({
    description: 'Maximum number of tasks per page.',
  }),
  cursor: cursor.optional().meta({ description: 'The `next_cursor` of the previous page.' }),
})

export const countQuery = filterFields.extend({
  cursor: cursor.optional().meta({ description: 'The `next_cursor` of the previous count.' }),
})

/**
 * Names of the fields with one or more values. They can also be repeated (`status=RETRY&status=PENDING`): some
 * clients send lists only so.
 */
const LIST_FIELDS = new Set(
  Object.entries(filterFields.shape).flatMap(([name, field]) =>
    field.unwrap() instanceof z.ZodPipe ? [name] : [],
  ),
)

type InputFields = { [name: `input.${string}`]: string }
/**
 * A parsed filter: the fields of `Schema`, and in `inputs` one condition per field `input.<path>`, which
 * compares a member of the task's input with a value.
 */
export type Filtered<Schema extends z.ZodObject> = z.output<Schema> & { inputs?: InputCondition[] }

const INPUT_PREFIX = 'input.'
const MAX_INPUT_FIELDS = 5
const MAX_PATH_LENGTH = 10
const memberName = text(100)
// The expected value of an `input.<path>` field: any text that Postgres can store, including line breaks.
const inputValue = z
  .string()
  .max(1_000)
  .regex(/^[^\0\p{Cs}]*$/u, 'must not contain NUL or unpaired surrogates')

/** Returns a schema that accepts the fields of `schema` and up to five fields `input.<path>`. */
export function withInputs<Schema extends z.ZodObject>(schema: Schema) {
  return (
    z
      // z.record() would drop a member named __proto__, which must be rejected like any unknown field.
      .custom<z.input<Schema> & InputFields>(isObject, 'must be an object')
      .transform((given, { issues }): Filtered<Schema> => {
        const [namedFields, inputFields] = splitFields(given)
        const fields = schema.safeParse(namedFields)
        const inputs = inputFields.map(([name, value]) => conditionOf(name, value, issues))
        if (!fields.success) issues.push(...fields.error.issues.flatMap(issuesOfField))
        if (inputs.length > MAX_INPUT_FIELDS) {
          const lastName = inputFields.at(-1)?.[0] ?? INPUT_PREFIX
          issues.push(issueAt([lastName], `must be one of at most ${MAX_INPUT_FIELDS} input fields`))
        }
        // The cast is safe although `fields.data` is undefined if `schema` rejects a field: then `issues` is
        // not empty, so that zod reports an error and does not return this value.
        return { ...fields.data, ...(inputs.length > 0 && { inputs }) } as Filtered<Schema>
      })
  )
}

function isObject(given: unknown): boolean {
  return typeof given === 'object' && given !== null && !Array.isArray(given)
}

function splitFields(given: Record<string, unknown>): [Record<string, unknown>, [string, unknown][]] {
  const entries = Object.entries(given)
  const isInputField = ([name]: [string, unknown]) => name.startsWith(INPUT_PREFIX)
  return [Object.fromEntries(entries.filter((entry) => !isInputField(entry))), entries.filter(isInputField)]
}

function conditionOf(name: string, value: unknown, issues: z.core.$ZodRawIssue[]): InputCondition {
  const path = name.slice(INPUT_PREFIX.length).split('.')
  const isPath =
    path.length <= MAX_PATH_LENGTH && path.every((member) => memberName.safeParse(member).success)
  if (!isPath) {
    const detail = `must be "input." and at most ${MAX_PATH_LENGTH} member names, separated by dots`
    issues.push(issueAt([name], detail))
  }
  const parsed = inputValue.safeParse(value)
  if (!parsed.success) issues.push(issueAt([name], parsed.error.issues[0]?.message ?? 'is not valid'))
  return { path, value: parsed.data ?? '' }
}

function issuesOfField(issue: z.core.$ZodIssue): z.core.$ZodRawIssue[] {
  if (issue.code !== 'unrecognized_keys') return [issueAt(issue.path, issue.message)]
  return issue.keys.map((name) => issueAt([name], 'is not known'))
}

function issueAt(path: PropertyKey[], message: string): z.core.$ZodRawIssue {
  return { code: 'custom', path, message, input: undefined }
}

/**
 * Creates middleware that validates a query string against `schema` and optional fields `input.<path>`.
 * @throws AppError (the middleware) `invalid_query`, with a message that names the parameter
 */
export function filterQuery<Schema extends z.ZodObject>(
  schema: Schema,
): MiddlewareHandler<
  ApiEnv,
  string,
  { in: { query: z.input<Schema> & InputFields }; out: { query: Filtered<Schema> } }
> {
  const fullSchema = withInputs(schema)
  return async (c, next) => {
    const given = Object.entries(c.req.queries()).map(([name, values]) => [
      name,
      values.length === 1 ? values[0] : LIST_FIELDS.has(name) ? values.join() : values,
    ])
    const parsed = fullSchema.safeParse(Object.fromEntries(given))
    if (!parsed.success) throw invalidQuery(parsed.error)
    c.req.addValidatedData('query', parsed.data)
    await next()
  }
}

/** Whether the query string contains a filter that reads inputs or results, which can be large. */
export function isSearch(c: Context<ApiEnv>): boolean {
  return Object.keys(c.req.query()).some((name) => name === 'q' || name.startsWith(INPUT_PREFIX))
}

/** Returns the filter for the store. Pass it to `Masking.filter`: it still reads sensitive values. */
export function filterOf(filter: Filtered<typeof filterFields>): TaskFilter {
  return {
    statuses: filter.status,
    names: filter.name,
    queues: filter.queue,
    workerIds: filter.worker,
    tag: filter.tag,
    idPrefix: filter.id,
    text: filter.q,
    createdAfter: filter.created_after === undefined ? undefined : new Date(filter.created_after),
    createdBefore: filter.created_before === undefined ? undefined : new Date(filter.created_before),
    inputs: filter.inputs,
  }
}

/** Whether a text can begin a task id: at most 32 hexadecimal digits, with hyphens at any position. */
function isIdPrefix(given: string): boolean {
  return /^[0-9a-f]{0,32}$/i.test(given.replaceAll('-', '')) && given.length > 0 && given.length <= 36
}

const MAX_IDS = 1_000

const action = z.enum(['cancel', 'retry', 'replay'])
const ids = z
  .array(z.string().refine(isUuid, 'must be the id of a task'))
  .min(1)
  .max(MAX_IDS, `must have at most ${MAX_IDS} ids`)
// Its JSON Schema is written here, because zod generates none from a transform.
const filter = withInputs(filterFields).meta({
  type: 'object',
  description: 'The filter parameters of the list operation, written in the same way. `{}` means all tasks.',
  properties: Object.fromEntries(Object.keys(filterFields.shape).map((name) => [name, { type: 'string' }])),
  patternProperties: { '^input\\.': { type: 'string', maxLength: 1_000 } },
  additionalProperties: false,
})
const bulkCursor = z.uuid('must be a cursor of an earlier response').optional()

/** Body of a bulk request: an action on the tasks with these ids, or on all tasks that match a filter. */
export const bulkRequest = z
  .strictObject({ action, ids: ids.optional(), filter: filter.optional(), cursor: bulkCursor })
  .refine((request) => (request.ids === undefined) !== (request.filter === undefined), {
    error: 'must have either ids or filter; {"filter": {}} means all tasks',
  })
  .refine((request) => request.ids === undefined || request.cursor === undefined, {
    error: 'must be used with filter, not with ids',
    path: ['cursor'],
  })

const bulkByIds = z.strictObject({ action, ids })
const bulkByFilter = z.strictObject({ action, filter, cursor: bulkCursor })

/**
 * The same rules in JSON Schema, which zod does not generate from refinements. Each form is a complete schema of
 * its own, so that generators of clients can name it.
 */
export const BULK_SCHEMAS: Record<string, Schema> = {
  BulkRequest: { oneOf: [bulkByIds, bulkByFilter] },
  BulkByIds: bulkByIds,
  BulkByFilter: bulkByFilter,
}
