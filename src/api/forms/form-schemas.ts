// Schemas of the responses of the form endpoints (notify, task_status, submit_task, check_task).
import { z } from 'zod'
import { TASK_STATUSES } from '../../definitions/task-status.ts'
import { pollTokenSchema, progress, taskError } from '../tasks/task-schemas.ts'

export const notified = z.object({
  task_id: z.uuid(),
  status: z.literal('PENDING'),
  poll_token: pollTokenSchema.optional(),
})

export const formSubmitted = z.object({
  task_id: z.uuid(),
  status_url: z.string(),
  poll_token: pollTokenSchema.optional(),
})

export const checkedTask = z.object({
  task_id: z.uuid(),
  status: z.enum(TASK_STATUSES),
  result: z.unknown().meta({ description: 'null until the task has succeeded' }),
  error: taskError.nullable(),
})

export const taskStatus = checkedTask.extend({ progress })

/** Responses that have a name in the OpenAPI document. */
export const FORM_SCHEMAS = {
  Notified: notified,
  FormSubmitted: formSubmitted,
  TaskStatus: taskStatus,
  CheckedTask: checkedTask,
}
