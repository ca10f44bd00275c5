// Endpoints that are documented before they are there. This file goes when they are: the schemas of their requests then
// come from where they are checked.
import { z } from 'zod'
import { problem } from '../problem.ts'
import { submission } from '../task-requests.ts'

/** Documented, and not served yet. */
export const AWAITED_OPERATIONS: string[] = [
  'post /v1/tasks/batch',
  'post /v1/tasks/{id}/replay',
  'get /v1/tasks/{id}/events',
  'get /v1/queues',
  'post /v1/queues/{name}/pause',
  'post /v1/queues/{name}/resume',
  'get /metrics',
]

export const batchSubmission = z.strictObject({
  tasks: z
    .array(submission.extend({ name: z.string() }))
    .min(1)
    .max(1_000),
})

export const replayRequest = z.strictObject({
  input: z.unknown().optional().meta({ description: 'Instead of its own' }),
  options: submission.shape.options,
})

export const batchAnswer = z.object({
  accepted: z.int().min(0),
  rejected: z.int().min(0),
  items: z.array(
    z.union([
      z.object({ index: z.int().min(0), id: z.uuid() }),
      z.object({ index: z.int().min(0), problem }),
    ]),
  ),
})
