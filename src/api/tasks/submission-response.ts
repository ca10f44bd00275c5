// Builds the 202 response to the submission of one task.
import type { Context } from 'hono'
import type { AcceptedTask } from '../../service/insert-once.ts'
import { pollTokenOf } from '../http/api-keys.ts'
import { jsonTextResponse } from '../http/json-response.ts'
import type { ApiEnv } from '../http/request-context.ts'
import { textOfNewTask } from './new-task-text.ts'
import type { TaskView } from './task-view.ts'

/**
 * Body of the response: the task as it was accepted. If the API requires keys, it also has a `poll_token`,
 * with which a browser without an API key can read this task.
 */
export type SubmittedTaskView = TaskView & { poll_token?: string }

/** @param task with its sensitive values masked */
export function submissionResponse(c: Context<ApiEnv>, task: AcceptedTask) {
  return jsonTextResponse<SubmittedTaskView, 202>(c, withPollToken(c, task), 202, {
    Location: `/v1/tasks/${task.id}`,
    'Retry-After': '1',
    ...replayedHeader(task),
  })
}

function withPollToken(c: Context<ApiEnv>, task: AcceptedTask): string {
  const text = textOfNewTask(task)
  const { poll_token } = pollToken(c, task.id)
  return poll_token === undefined ? text : `${text.slice(0, -1)},"poll_token":${JSON.stringify(poll_token)}}`
}

/** Returns an object with the poll token of the task, or an empty object if the API requires no keys. */
export function pollToken(c: Context<ApiEnv>, taskId: string): { poll_token?: string } {
  const apiKey = c.get('apiKey')
  return apiKey ? { poll_token: pollTokenOf(apiKey, taskId) } : {}
}

/** Returns the header that marks a repetition of the first response to the same Idempotency-Key. */
export function replayedHeader({ isReplayed }: { isReplayed?: boolean }): { 'Idempotent-Replayed'?: 'true' } {
  return isReplayed ? { 'Idempotent-Replayed': 'true' } : {}
}
