// Examples of tasks in the OpenAPI document. Examples of inputs come from the task definitions.
import type { z } from 'zod'
import type { TaskDefinition } from '../../definitions/define.ts'
import type { task, taskWithAttempts } from './task-schemas.ts'

export const EXAMPLE_ID = '01890000-0000-7000-8000-000000000000'
const WORKER_ID = '4a3f6c0e-0d65-4b8e-9a55-3b7f1b1c7e10'
const SELF = `/v1/tasks/${EXAMPLE_ID}`
const LINKS = {
  self: SELF,
  events: `${SELF}/events`,
  logs: `${SELF}/logs`,
  cancel: `${SELF}/cancel`,
  retry: `${SELF}/retry`,
  replay: `${SELF}/replay`,
}

const NEW_TASK = {
  id: EXAMPLE_ID,
  status: 'PENDING',
  result: null,
  error: null,
  progress: { fraction: 0, message: null },
  attempt: 0,
  failures: 0,
  tags: [],
  run_at: '2030-01-31T12:00:00.000Z',
  created_at: '2030-01-31T12:00:00.000Z',
  started_at: null,
  finished_at: null,
  worker_id: null,
  is_isolated: false,
  priority: 'normal',
  expires_at: null,
  cancel_requested_at: null,
  replayed_from: null,
  parent_id: null,
  callback_url: null,
  callback_id: null,
  request_id: null,
  traceparent: null,
  is_final: false,
  links: LINKS,
} satisfies Partial<z.infer<typeof task>>

/** Returns an example of a task right after its submission. */
export function submittedTask(definition: TaskDefinition): z.infer<typeof task> {
  return {
    ...NEW_TASK,
    name: definition.name,
    queue: definition.queue,
    input: definition.example,
    max_retries: definition.maxRetries,
    timeout_seconds: definition.timeoutMs / 1_000,
    is_isolated: definition.isolate !== undefined,
    priority: definition.priority,
  }
}

/** Example of a finished task: the worker of its first attempt was lost, and the second attempt succeeded. */
export const FINISHED_TASK: z.infer<typeof taskWithAttempts> = {
  ...NEW_TASK,
  name: 'reverse',
  queue: 'default',
  status: 'SUCCESS',
  input: { text: 'Waggle' },
  result: { text: 'elggaW' },
  progress: { fraction: 1, message: null },
  attempt: 2,
  failures: 1,
  max_retries: 3,
  timeout_seconds: 300,
  run_at: '2030-01-31T12:00:02.000Z',
  started_at: '2030-01-31T12:00:02.100Z',
  finished_at: '2030-01-31T12:00:02.200Z',
  worker_id: WORKER_ID,
  is_final: true,
  waits_for: null,
  attempts: [
    {
      attempt: 1,
      error: { name: 'Error', message: 'worker lost', retryable: true },
      worker_id: WORKER_ID,
      started_at: '2030-01-31T12:00:00.100Z',
      ended_at: '2030-01-31T12:00:01.000Z',
      refused: {
        at: '2030-01-31T12:00:09.000Z',
        status: 'SUCCESS',
        result: { text: 'elggaW' },
        result_excerpt: null,
        error: null,
        log: [],
      },
    },
  ],
}
