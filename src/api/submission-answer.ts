// What whoever submitted a task is answered.
import type { Context } from 'hono'
import type { AcceptedTask } from '../insert-once.ts'
import { pollTokenOf } from './api-keys.ts'
import { jsonResponse } from './json-response.ts'
import type { ApiEnv } from './request-context.ts'
import { type TaskView, viewOfNewTask } from './task-view.ts'

/** The task as it was accepted, with a token to follow it by where the API asks for keys. */
export type SubmittedTaskView = TaskView & { poll_token?: string }

export function submissionAnswer(c: Context<ApiEnv>, task: AcceptedTask) {
  const body: SubmittedTaskView = Object.assign(viewOfNewTask(task), pollToken(c, task.id))
  return jsonResponse(c, body, 202, {
    Location: `/v1/tasks/${task.id}`,
    'Retry-After': '1',
    ...replayedHeader(task),
  })
}

/** `{poll_token}`, or nothing while the API is open to everybody. */
export function pollToken(c: Context<ApiEnv>, taskId: string): { poll_token?: string } {
  const apiKey = c.get('apiKey')
  return apiKey ? { poll_token: pollTokenOf(apiKey, taskId) } : {}
}

/** Says that this answer was given before, to the same Idempotency-Key. */
export function replayedHeader({ isReplayed }: { isReplayed?: boolean }): { 'Idempotent-Replayed'?: 'true' } {
  return isReplayed ? { 'Idempotent-Replayed': 'true' } : {}
}
