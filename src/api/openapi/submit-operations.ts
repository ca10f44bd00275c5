// OpenAPI operations that submit tasks: one per task definition, and the batch.
import type { ErrorCode } from '../../base/errors.ts'
import type { TaskDefinition } from '../../definitions/define.ts'
import { EXAMPLE_ID, submittedTask } from './examples.ts'
import { json, type Operation } from './operation.ts'
import { SUBMISSION_PARAMETERS } from './parameters.ts'
import { ref, refOfDefinition } from './schemas.ts'

/** Error codes of every operation that submits tasks. */
export const SUBMISSION_PROBLEMS: ErrorCode[] = [
  'malformed_json',
  'invalid_header',
  'idempotency_key_in_flight',
  'unsupported_media_type',
  'invalid_input',
  'idempotency_key_reused',
  'overloaded',
  'unavailable',
  'outcome_unknown',
]

export function submitOperations(definitions: readonly TaskDefinition[]): Operation[] {
  return [...definitions.map(submitOperation), batchOperation(definitions)]
}

function submitOperation(definition: TaskDefinition): Operation {
  const { name, title, description, example, queue, maxRetries, timeoutMs } = definition
  return {
    method: 'post',
    path: `/v1/tasks/${name}`,
    id: `submit_${name}`,
    summary: title,
    description: `${description}\n\nDefaults: queue \`${queue}\`, ${maxRetries} retries, ${timeoutMs / 1_000} seconds per attempt. \`options\` override them. The schema of the response describes \`result\` after success.`,
    tag: 'Submit',
    scope: 'submit',
    parameters: [...SUBMISSION_PARAMETERS],
    body: {
      isRequired: true,
      content: json(refOfDefinition(name, 'Submission'), { example: { input: example } }),
    },
    responses: {
      202: {
        description: 'Accepted: the task is committed.',
        headers: ['Location', 'Retry-After', 'Idempotent-Replayed'],
        content: json(refOfDefinition(name, 'Task'), { accepted: submittedTask(definition) }),
      },
    },
    problems: SUBMISSION_PROBLEMS,
  }
}

function batchOperation(definitions: readonly TaskDefinition[]): Operation {
  const tasks = definitions.slice(0, 2).map(({ name, example }) => ({ name, input: example }))
  return {
    method: 'post',
    path: '/v1/tasks/batch',
    id: 'submit_batch',
    summary: 'Submit up to 1000 tasks',
    description:
      'Each task is accepted or rejected separately. `items` contains the outcomes in the order of the request.',
    tag: 'Submit',
    scope: 'submit',
    parameters: [...SUBMISSION_PARAMETERS],
    body: { isRequired: true, content: json(ref('BatchSubmission'), { example: { tasks } }) },
    responses: {
      202: {
        description: 'The accepted tasks are committed.',
        headers: ['Idempotent-Replayed'],
        content: json(ref('BatchResponse'), {
          accepted: { accepted: 1, rejected: 0, items: [{ index: 0, id: EXAMPLE_ID }] },
        }),
      },
    },
    problems: SUBMISSION_PROBLEMS,
  }
}
