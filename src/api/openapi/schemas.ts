// Creates `components/schemas` from the zod schemas of requests and responses.
import { z } from 'zod'
import type { TaskDefinition } from '../../definitions/define.ts'
import { checkedTask, formSubmitted, notified, taskStatus } from '../forms/form-schemas.ts'
import { problemSchema } from '../http/problem.ts'
import {
  access,
  health,
  queue,
  queues,
  readiness,
  statistics,
  worker,
  workers,
} from '../system/system-schemas.ts'
import { bulkRequest, filterFields } from '../tasks/task-filters.ts'
import { batchItem, batchSubmission, replay, submission } from '../tasks/task-requests.ts'
import {
  attempt,
  batchResponse,
  bulkResponse,
  compactTask,
  compactTaskPage,
  definition,
  definitions,
  logLine,
  logLines,
  progress,
  task,
  taskCount,
  taskError,
  taskPage,
  taskWithAttempts,
} from '../tasks/task-schemas.ts'
import type { Schema } from './operation.ts'

const options = submission.shape.options.unwrap()

const OPTION_DESCRIPTIONS: Record<keyof typeof options.shape, string> = {
  run_at: 'Earliest start of the task.',
  delay_seconds: 'Delay in seconds before the task may start.',
  max_retries: 'Maximum number of retries after failed attempts.',
  timeout_seconds: 'Time limit of one attempt in seconds.',
  queue: 'Queue of the task. Only workers that serve this queue run it.',
  tags: 'Labels for filtering.',
  callback_url: 'URL to which the task is posted when it has ended.',
}

const SCHEMAS = {
  Task: task,
  TaskWithAttempts: taskWithAttempts,
  TaskPage: taskPage,
  CompactTask: compactTask,
  CompactTaskPage: compactTaskPage,
  TaskCount: taskCount,
  TaskError: taskError,
  Progress: progress,
  Attempt: attempt,
  LogLine: logLine,
  LogLines: logLines,
  SubmitOptions: options,
  BatchItem: batchItem,
  BatchSubmission: batchSubmission,
  BatchResponse: batchResponse,
  ReplayRequest: replay,
  BulkRequest: bulkRequest,
  BulkResponse: bulkResponse,
  Definition: definition,
  Definitions: definitions,
  Queue: queue,
  Queues: queues,
  Worker: worker,
  Workers: workers,
  Access: access,
  Statistics: statistics,
  Health: health,
  Readiness: readiness,
  Notified: notified,
  FormSubmitted: formSubmitted,
  TaskStatus: taskStatus,
  CheckedTask: checkedTask,
  Problem: problemSchema,
} satisfies Record<string, z.ZodType>

/** Returns a reference to a schema that does not depend on a task definition, for example `Queue`. */
export function ref(name: keyof typeof SCHEMAS): Schema {
  return { $ref: `#/components/schemas/${name}` }
}

export function refOfDefinition(name: string, part: 'Input' | 'Result' | 'Submission' | 'Task'): Schema {
  return { $ref: `#/components/schemas/${pascalCase(name)}${part}` }
}

export function createSchemas(definitions: readonly TaskDefinition[]): Record<string, Schema> {
  const named = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(SCHEMAS)) named.add(schema, { id })
  for (const { name, input, output } of definitions) {
    // Registers copies of the input and result schemas. Two definitions may use the same schema object, but a
    // zod registry stores only one name per object.
    const ownInput = input.meta({ ...input.meta() })
    named.add(ownInput, { id: `${pascalCase(name)}Input` })
    named.add(output.meta({ ...output.meta() }), { id: `${pascalCase(name)}Result` })
    named.add(submission.extend({ input: ownInput }), { id: `${pascalCase(name)}Submission` })
  }
  const { schemas } = z.toJSONSchema(named, {
    // Describes values before zod parses them, so that request members with a default are optional. The mode
    // `output` would also forbid additional members, but later versions of the API may add some to responses.
    io: 'input',
    unrepresentable: 'any',
    uri: (id) => `#/components/schemas/${id}`,
    override: ({ jsonSchema }) => tidy(jsonSchema),
  })
  const { __shared: shared, ...own } = schemas
  return withPlainReferences({
    ...asSchemas(shared?.$defs),
    ...Object.fromEntries(Object.entries(own).map(([id, schema]) => [id, withoutIdentity(schema)])),
    SubmitOptions: describedOptions(asObject(schemas.SubmitOptions)),
    BatchSubmission: itemizedBatch(asObject(schemas.BatchSubmission)),
    BulkRequest: filteredBulk(asObject(schemas.BulkRequest)),
    ...Object.fromEntries(definitions.map(({ name }) => [`${pascalCase(name)}Task`, taskOf(name)])),
  })
}

/** Returns the JSON Schemas of the parameters of a query string by name, and the names of required ones. */
export function schemasOfQuery(schema: z.ZodObject): {
  properties: Record<string, Schema>
  required: string[]
} {
  const [given, read] = (['input', 'output'] as const).map((io) =>
    z.toJSONSchema(schema, { io, unrepresentable: 'any', override: ({ jsonSchema }) => tidy(jsonSchema) }),
  )
  const properties = Object.keys(given?.properties ?? {}).map((name) => {
    const parsed = asObject(read?.properties?.[name])
    // A parameter that zod parses from comma-separated text is documented as an array: OpenAPI also writes
    // arrays in a query as comma-separated text, if the parameter has `explode: false`.
    return [name, parsed.type === 'array' ? parsed : asObject(given?.properties?.[name])] as const
  })
  return { properties: Object.fromEntries(properties), required: given?.required ?? [] }
}

/** Returns the schema of a task of one definition: `Task` with the schemas of its input and result. */
function taskOf(name: string): Schema {
  return {
    allOf: [
      ref('Task'),
      {
        properties: {
          name: { const: name },
          input: refOfDefinition(name, 'Input'),
          result: {
            anyOf: [refOfDefinition(name, 'Result'), { type: 'null' }],
            description: 'null until the task has succeeded',
          },
        },
      },
    ],
  }
}

/**
 * Adds two things that zod does not generate to the JSON Schema of the submit options: a description of each
 * option, and the rule that a task cannot have both `run_at` and `delay_seconds`.
 */
function describedOptions(schema: Schema): Schema {
  const properties = Object.entries(asObject(schema.properties)).map(([name, property]) => {
    const description = Object.entries(OPTION_DESCRIPTIONS).find(([known]) => known === name)?.[1]
    return [name, { ...asObject(property), description }]
  })
  const both = { required: ['run_at', 'delay_seconds'] }
  return { ...withoutIdentity(schema), properties: Object.fromEntries(properties), not: both }
}

/**
 * Adds the schema of the items to the schema of a batch. The zod schema allows any item, because the API
 * checks the items one by one.
 */
function itemizedBatch(schema: Schema): Schema {
  const { tasks } = asObject(schema.properties)
  return {
    ...withoutIdentity(schema),
    properties: { tasks: { ...asObject(tasks), items: ref('BatchItem') } },
  }
}

/**
 * Adds two things to the JSON Schema of a bulk request: the fields of `filter`, and the rule that a request
 * has either `ids` or `filter`. zod does not generate them, because they are a transform and a refinement.
 */
function filteredBulk(schema: Schema): Schema {
  const names = Object.keys(filterFields.shape).map((name) => [name, { type: 'string' }])
  const filter = {
    type: 'object',
    description:
      'The filter parameters of the list operation, written in the same way. `{}` means all tasks.',
    properties: Object.fromEntries(names),
    patternProperties: { '^input\\.': { type: 'string', maxLength: 1_000 } },
    additionalProperties: false,
  }
  return {
    ...withoutIdentity(schema),
    properties: { ...asObject(schema.properties), filter },
    oneOf: [{ required: ['ids'], not: { required: ['cursor'] } }, { required: ['filter'] }],
  }
}

/** Removes keywords that only make the document longer: patterns of dates and UUIDs, safe integer limits. */
function tidy(schema: Schema) {
  if (schema.format === 'date-time' || schema.format === 'uuid') delete schema.pattern
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum
}

/**
 * Rewrites references to recursive schemas. zod puts these schemas into `__shared`; in the OpenAPI document
 * they are in `components/schemas`, like all others.
 */
function withPlainReferences(schemas: Record<string, Schema>): Record<string, Schema> {
  return JSON.parse(JSON.stringify(schemas).replaceAll('schemas/__shared#/$defs/', 'schemas/'))
}

function asSchemas(definitions: object = {}): Record<string, Schema> {
  return Object.fromEntries(Object.entries(definitions).map(([id, schema]) => [id, asObject(schema)]))
}

function withoutIdentity({ $schema: _dialect, $id: _id, ...schema }: Schema): Schema {
  return schema
}

/**
 * Returns a copy of a JSON Schema that is an object; `{}` for undefined. JSON Schema also has the schemas
 * true and false, but zod does not generate them for the values that are passed here.
 */
function asObject(schema: unknown): Schema {
  return typeof schema === 'object' && schema !== null ? { ...schema } : {}
}

function pascalCase(name: string): string {
  return name.replace(/(?:^|_+)([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase())
}
