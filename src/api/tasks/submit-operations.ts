// Operations that submit tasks: one per task definition, although they share a route, and the batch.
import type { TaskDefinition } from '../../definitions/define.ts'
import {
  json,
  type Operation,
  type OperationResponse,
  type Operations,
  type Schema,
} from '../openapi/operation.ts'
import { refOfDefinition } from './definition-schemas.ts'
import { EXAMPLE_ID, submittedTask } from './task-examples.ts'
import { batchSubmission } from './task-requests.ts'
import { batchResponse } from './task-schemas.ts'

/** What all operations that submit tasks have in common. */
export const SUBMISSION = {
  access: 'submit',
  parameters: ['IdempotencyKey', 'RequestId', 'Traceparent'],
  problems: ['overloaded', 'unavailable', 'outcome_unknown'],
} as const satisfies Partial<Operation>

/** The response to a submission that has met a unique task. */
export function existingResponse(schema: Schema): OperationResponse {
  return {
    description:
      'No task was created: the submission has met this one, which is unique. `is_existing` is true. The body shows it as it is now.',
    headers: ['Location', 'Retry-After', 'Idempotent-Replayed'],
    content: json(schema),
  }
}

export function submitOperations(definitions: readonly TaskDefinition[]): Operations {
  return {
    ...Object.fromEntries(
      definitions.map((definition) => [`submit_${definition.name}`, submitOperation(definition)]),
    ),
    submit_batch: batchOperation(definitions),
  }
}

function submitOperation(definition: TaskDefinition): Operation {
  const { name, title, description, example, queue, maxRetries, timeoutMs } = definition
  return {
    ...SUBMISSION,
    route: `POST /v1/tasks/${name}`,
    summary: title,
    description: `${description}\n\nDefaults: queue \`${queue}\`, ${maxRetries} retries, ${timeoutMs / 1_000} seconds per attempt. \`options\` override them. The schema of the response describes \`result\` after success.${uniqueText(definition)}`,
    body: { content: json(refOfDefinition(name, 'Submission'), { example: { input: example } }) },
    responses: responsesOf(definition),
  }
}

function responsesOf(definition: TaskDefinition): Operation['responses'] {
  const schema = refOfDefinition(definition.name, 'Task')
  const accepted: OperationResponse = {
    description: 'Accepted: the task is committed.',
    headers: ['Location', 'Retry-After', 'Idempotent-Replayed'],
    content: json(schema, { accepted: submittedTask(definition) }),
  }
  return definition.unique ? { 200: existingResponse(schema), 202: accepted } : { 202: accepted }
}

function batchOperation(definitions: readonly TaskDefinition[]): Operation {
  const tasks = definitions.slice(0, 2).map(({ name, example }) => ({ name, input: example }))
  return {
    ...SUBMISSION,
    route: 'POST /v1/tasks/batch',
    summary: 'Submit up to 1000 tasks',
    description:
      'Each task is accepted or rejected separately. `items` contains the outcomes in the order of the request.',
    body: { content: json(batchSubmission, { example: { tasks } }) },
    responses: {
      202: {
        description: 'The accepted tasks are committed.',
        headers: ['Idempotent-Replayed'],
        content: json(batchResponse, {
          accepted: { accepted: 1, rejected: 0, items: [{ index: 0, id: EXAMPLE_ID }] },
        }),
      },
    },
  }
}

/** Says which submissions meet a task instead of creating one. */
function uniqueText({ unique }: TaskDefinition): string {
  if (!unique) return ''
  const { until, onConflict = 'existing' } = unique
  const span = {
    started: 'until its first attempt has started',
    finished: 'until it has ended',
  }
  const time = typeof until === 'string' ? span[until] : `for ${until.seconds} seconds after its submission`
  const change = {
    existing: 'which stays as it is',
    replace: 'which gets the new input if it waits',
    debounce: 'which gets the new input and starts later if it waits',
  }
  const same = unique.key ? 'A submission with the same unique key' : 'Another submission'
  return `\n\n${same} gets this task ${time}, ${change[onConflict]}: status 200.`
}
