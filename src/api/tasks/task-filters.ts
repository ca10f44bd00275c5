// Which tasks are meant: the same names in a query and in the body of a bulk action.
import type { MiddlewareHandler } from 'hono'
import { z } from 'zod'
import { isUuid } from '../../base/uuidv7.ts'
import { TASK_STATUSES } from '../../definitions/task-status.ts'
import type { InputCondition, TaskFilter } from '../../store/task-filter.ts'
import type { ApiEnv } from '../http/request-context.ts'
import { invalidQuery, written } from '../http/request-query.ts'
import { label, moment, queueName, text } from './task-requests.ts'

/** One or several, with commas between. */
const several = <Schema extends z.ZodType<unknown, string>>(schema: Schema) =>
  z
    .string()
    .transform((given) => [...new Set(given.split(','))])
    .pipe(z.array(schema).max(50, 'must not be more than 50'))

/** What a filter may name, beside `input.<path>`. */
export const filterFields = z.strictObject({
  status: several(z.enum(TASK_STATUSES)).optional(),
  name: several(label).optional(),
  queue: several(queueName).optional(),
  worker: several(z.uuid()).optional(),
  // One only: a tag may have commas in it.
  tag: label.optional(),
  id: z.string().refine(isIdPrefix, 'must be the beginning of a task id').optional(),
  q: text(200).optional(),
  created_after: moment.optional(),
  created_before: moment.optional(),
})

export const cursor = z.uuid('must be the next_cursor of an earlier answer')

export const listQuery = filterFields.extend({
  compact: z
    .enum(['true', 'false'])
    .transform((given) => given === 'true')
    .optional(),
  limit: written(z.int().min(1).max(200).default(50)),
  cursor: cursor.optional(),
})

export const countQuery = filterFields.extend({ cursor: cursor.optional() })

type InputFields = { [name: `input.${string}`]: string }
/** What a schema of named fields gives, with the fields of the input beside them. */
export type Filtered<Schema extends z.ZodObject> = z.output<Schema> & { inputs?: InputCondition[] }

const INPUT = 'input.'
const MOST_INPUTS = 5
const MOST_STEPS = 10
const step = text(100)
// Every text that Postgres can have, also with line breaks in it.
const inputValue = z
  .string()
  .max(1_000)
  .regex(/^[^\0\p{Cs}]*$/u, 'must not contain NUL or halves of characters')

/** Fields of the schema, and any number up to five of `input.<path>`. */
export function withInputs<Schema extends z.ZodObject>(schema: Schema) {
  return (
    z
      // Not a record of zod's, which would pass over a member named __proto__.
      .custom<z.input<Schema> & InputFields>(isObject, 'must be an object')
      .transform((given, { issues }): Filtered<Schema> => {
        const [named, ofInput] = divide(given)
        const fields = schema.safeParse(named)
        const inputs = ofInput.map(([name, value]) => conditionOf(name, value, issues))
        if (!fields.success) issues.push(...fields.error.issues.flatMap(faultsOfField))
        if (inputs.length > MOST_INPUTS)
          issues.push(fault([ofInput.at(-1)?.[0] ?? INPUT], `must be one of ${MOST_INPUTS} at most`))
        // Not read by anybody where there are issues.
        return { ...fields.data, ...(inputs.length > 0 && { inputs }) } as Filtered<Schema>
      })
  )
}

function isObject(given: unknown): boolean {
  return typeof given === 'object' && given !== null && !Array.isArray(given)
}

function divide(given: Record<string, unknown>): [Record<string, unknown>, [string, unknown][]] {
  const entries = Object.entries(given)
  const isOfInput = ([name]: [string, unknown]) => name.startsWith(INPUT)
  return [Object.fromEntries(entries.filter((entry) => !isOfInput(entry))), entries.filter(isOfInput)]
}

function conditionOf(name: string, value: unknown, issues: z.core.$ZodRawIssue[]): InputCondition {
  const path = name.slice(INPUT.length).split('.')
  const isPath = path.length <= MOST_STEPS && path.every((one) => step.safeParse(one).success)
  if (!isPath)
    issues.push(fault([name], `must be input. and ${MOST_STEPS} names of members at most, with dots between`))
  const parsed = inputValue.safeParse(value)
  if (!parsed.success) issues.push(fault([name], parsed.error.issues[0]?.message ?? 'is not valid'))
  return { path, value: parsed.data ?? '' }
}

function faultsOfField(issue: z.core.$ZodIssue): z.core.$ZodRawIssue[] {
  if (issue.code !== 'unrecognized_keys') return [fault(issue.path, issue.message)]
  return issue.keys.map((name) => fault([name], 'is not known'))
}

function fault(path: PropertyKey[], message: string): z.core.$ZodRawIssue {
  return { code: 'custom', path, message, input: undefined }
}

/** Checks a query string that may have `input.<path>` in it. @throws AppError `invalid_query` that names the parameter */
export function filterQuery<Schema extends z.ZodObject>(
  schema: Schema,
): MiddlewareHandler<
  ApiEnv,
  string,
  { in: { query: z.input<Schema> & InputFields }; out: { query: Filtered<Schema> } }
> {
  const whole = withInputs(schema)
  return async (c, next) => {
    const given = Object.entries(c.req.queries()).map(([name, values]) => [
      name,
      values.length === 1 ? values[0] : values,
    ])
    const parsed = whole.safeParse(Object.fromEntries(given))
    if (!parsed.success) throw invalidQuery(parsed.error)
    c.req.addValidatedData('query', parsed.data)
    await next()
  }
}

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

/** Up to 32 hexadecimal digits, with hyphens wherever people leave them. */
function isIdPrefix(given: string): boolean {
  return /^[0-9a-f]{0,32}$/i.test(given.replaceAll('-', '')) && given.length > 0 && given.length <= 36
}

const MOST_IDS = 1_000

/** One action on many tasks: those with these ids, or all that a filter names. */
export const bulkRequest = z
  .strictObject({
    action: z.enum(['cancel', 'retry', 'replay']),
    ids: z
      .array(z.string().refine(isUuid, 'must be the id of a task'))
      .min(1)
      .max(MOST_IDS, `must not be more than ${MOST_IDS}`)
      .optional(),
    filter: withInputs(filterFields).optional(),
    cursor: z.uuid('must be a cursor of an earlier answer').optional(),
  })
  .refine(({ ids, filter }) => (ids === undefined) !== (filter === undefined), {
    error: 'must have either ids or filter; {"filter": {}} means all tasks',
  })
  .refine(({ ids, cursor }) => ids === undefined || cursor === undefined, {
    error: 'belongs to a filter, not to ids',
    path: ['cursor'],
  })
