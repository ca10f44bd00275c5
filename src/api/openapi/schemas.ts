// Everything below `components/schemas`: made from the schemas that check requests and describe answers.
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
  run_at: 'Not before this moment.',
  delay_seconds: 'Not before so many seconds have passed.',
  max_retries: 'How often it is run again after a failure.',
  timeout_seconds: 'How long one attempt may take.',
  queue: 'Which workers run it: those that serve this queue.',
  tags: 'Labels by which it can be found.',
  callback_url: 'Where to post the task when it has ended.',
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
  BulkAnswer: bulkResponse,
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

/** A reference to one of the schemas that do not depend on the definitions. */
export function ref(name: keyof typeof SCHEMAS): Schema {
  return { $ref: `#/components/schemas/${name}` }
}

export function refOfDefinition(name: string, part: 'Input' | 'Result' | 'Submission' | 'Task'): Schema {
  return { $ref: `#/components/schemas/${pascalCase(name)}${part}` }
}

export function createSchemas(all: readonly TaskDefinition[]): Record<string, Schema> {
  const named = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(SCHEMAS)) named.add(schema, { id })
  for (const { name, input, output } of all) {
    // Copies: definitions may share a schema, and one schema can have one name only.
    const ownInput = input.meta({ ...input.meta() })
    named.add(ownInput, { id: `${pascalCase(name)}Input` })
    named.add(output.meta({ ...output.meta() }), { id: `${pascalCase(name)}Result` })
    named.add(submission.extend({ input: ownInput }), { id: `${pascalCase(name)}Submission` })
  }
  const { schemas } = z.toJSONSchema(named, {
    // What is sent, for requests; for answers, which have no defaults, the same, but open to members of later versions.
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
    ...Object.fromEntries(all.map(({ name }) => [`${pascalCase(name)}Task`, taskOf(name)])),
  })
}

/** A query schema's parameters, as JSON Schemas by name. */
export function schemasOfQuery(schema: z.ZodObject): {
  properties: Record<string, Schema>
  required: string[]
} {
  const [given, read] = (['input', 'output'] as const).map((io) =>
    z.toJSONSchema(schema, { io, unrepresentable: 'any', override: ({ jsonSchema }) => tidy(jsonSchema) }),
  )
  const properties = Object.keys(given?.properties ?? {}).map((name) => {
    const parsed = asObject(read?.properties?.[name])
    // A text that is taken apart at its commas is a list, to whoever writes it.
    return [name, parsed.type === 'array' ? parsed : asObject(given?.properties?.[name])] as const
  })
  return { properties: Object.fromEntries(properties), required: given?.required ?? [] }
}

/** A task of this definition: what is in it beside what every task has. */
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
            description: 'null until it has succeeded',
          },
        },
      },
    ],
  }
}

/** What zod cannot say of the options: what each is for, and that two exclude each other. */
function describedOptions(schema: Schema): Schema {
  const properties = Object.entries(asObject(schema.properties)).map(([name, property]) => {
    const description = Object.entries(OPTION_DESCRIPTIONS).find(([known]) => known === name)?.[1]
    return [name, { ...asObject(property), description }]
  })
  const both = { required: ['run_at', 'delay_seconds'] }
  return { ...withoutIdentity(schema), properties: Object.fromEntries(properties), not: both }
}

/** A batch is checked item by item, so its own schema leaves them open. */
function itemizedBatch(schema: Schema): Schema {
  const { tasks } = asObject(schema.properties)
  return {
    ...withoutIdentity(schema),
    properties: { tasks: { ...asObject(tasks), items: ref('BatchItem') } },
  }
}

/** A filter has the names of a query, written in the same way; and it is that or ids. */
function filteredBulk(schema: Schema): Schema {
  const names = Object.keys(filterFields.shape).map((name) => [name, { type: 'string' }])
  const filter = {
    type: 'object',
    description: 'As in the query of a list: the same names, and the same texts. `{}` means all tasks.',
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

/** What zod writes out to be exact, and nobody wants to read. */
function tidy(schema: Schema) {
  if (schema.format === 'date-time' || schema.format === 'uuid') delete schema.pattern
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum
}

/** Schemas that contain themselves, which zod keeps apart, stand beside the others here. */
function withPlainReferences(schemas: Record<string, Schema>): Record<string, Schema> {
  return JSON.parse(JSON.stringify(schemas).replaceAll('schemas/__shared#/$defs/', 'schemas/'))
}

function asSchemas(definitions: object = {}): Record<string, Schema> {
  return Object.fromEntries(Object.entries(definitions).map(([id, schema]) => [id, asObject(schema)]))
}

function withoutIdentity({ $schema: _dialect, $id: _id, ...schema }: Schema): Schema {
  return schema
}

/** JSON Schema knows `true` and `false` as schemas too; zod's objects have none. */
function asObject(schema: unknown): Schema {
  return typeof schema === 'object' && schema !== null ? { ...schema } : {}
}

function pascalCase(name: string): string {
  return name.replace(/(?:^|_+)([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase())
}
