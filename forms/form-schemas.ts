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

export const checkedTask = z.object({
  task_id: z.uuid(),
  status: z.enum(['PENDING', 'STARTED', 'RETRY', 'SUCCESS', 'FAILURE', 'CANCELLED']),
  result: z.unknown().meta({ description: 'null until the task has succeeded' }),
  error: z.looseObject({ name: z.string(), message: z.string() }).nullable(),
})

/** Responses that have a name in the OpenAPI document. */
export const FORM_SCHEMAS = {
  Notified: notified,
  FormSubmitted: formSubmitted,
  CheckedTask: checkedTask,
}
