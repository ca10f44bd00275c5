// Builds the response to the submission of one task: 202 for a new task, 200 for one that it has met.
import type { Context } from 'hono'
import type { AcceptedTask } from '../../service/insert-once.ts'
import { pollTokenOf } from '../http/api-keys.ts'
import { jsonResponse, jsonTextResponse } from '../http/json-response.ts'
import type { ApiEnv } from '../http/request-context.ts'
import type { Masking } from './masking.ts'
import { textOfNewTask } from './new-task-text.ts'
import { type TaskView, viewOfNewTask, viewOfTask } from './task-view.ts'

/**
 * Body of the response: the task as it was accepted, or as it is now if it existed. If the API requires keys,
 * it also has a `poll_token`, with which a browser without an API key can read this task.
 */
export type SubmittedTaskView = TaskView & { poll_token?: string; is_existing?: boolean }

export function submissionResponse(c: Context<ApiEnv>, masking: Masking, accepted: AcceptedTask) {
  if (accepted.isExisting) return existingResponse(c, masking, accepted)
  const task = masking.newTask(accepted)
  return jsonTextResponse<SubmittedTaskView, 202>(c, withPollToken(c, task), 202, {
    Location: `/v1/tasks/${task.id}`,
    'Retry-After': '1',
    ...replayedHeader(task),
  })
}

function existingResponse(c: Context<ApiEnv>, masking: Masking, accepted: AcceptedTask) {
  const { row } = accepted
  const view = row ? viewOfTask(masking.row(row)) : viewOfNewTask(masking.newTask(accepted))
  const body: SubmittedTaskView = { ...view, ...existingMark(accepted), ...pollToken(c, view.id) }
  return jsonResponse<SubmittedTaskView, 200>(c, body, 200, {
    Location: view.links.self,
    ...(!view.is_final && { 'Retry-After': '1' }),
    ...replayedHeader(accepted),
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

/** Returns an object with the mark of a task that a submission has met; an empty object for a new task. */
export function existingMark({ isExisting }: Pick<AcceptedTask, 'isExisting'>): { is_existing?: true } {
  return isExisting ? { is_existing: true } : {}
}
