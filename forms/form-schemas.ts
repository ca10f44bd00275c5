// Schemas of the responses of the form endpoints.
import { z } from 'zod'

const pollToken = z.string().meta({
  description: 'Allows reading this task without an API key; present if the API requires keys',
})

export const notified = z.object({
  task_id: z.uuid(),
  status: z.literal('PENDING'),
  poll_token: pollToken.optional(),
})

export const formSubmitted = z.object({
  task_id: z.uuid(),
  status_url: z.string(),
  poll_token: pollToken.optional(),
})

const checkedTask = {
  type: 'object',
  properties: {
    task_id: { type: 'string', format: 'uuid' },
    status: { type: 'string', enum: ['PENDING', 'STARTED', 'RETRY', 'SUCCESS', 'FAILURE', 'CANCELLED'] },
    result: { description: 'null until the task has succeeded' },
    error: { anyOf: [{ $ref: '#/components/schemas/TaskError' }, { type: 'null' }] },
  },
  required: ['task_id', 'status', 'result', 'error'],
}

/** Responses that have a name in the OpenAPI document. */
export const FORM_SCHEMAS = {
  Notified: notified,
  FormSubmitted: formSubmitted,
  CheckedTask: checkedTask,
}
