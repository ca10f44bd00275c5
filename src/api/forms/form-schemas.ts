// The shapes of the classic endpoints' answers.
import { z } from 'zod'
import { TASK_STATUSES } from '../../definitions/task-status.ts'
import { pollToken, progress, taskError } from '../tasks/task-schemas.ts'

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
  status: z.enum(TASK_STATUSES),
  result: z.unknown().meta({ description: 'null until it has succeeded' }),
  error: taskError.nullable(),
})

export const taskStatus = checkedTask.extend({ progress })
