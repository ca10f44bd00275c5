// Lists the task definitions of this project. To add one, add a file to this folder and a line to the list
// below.

import { createCallbackTask } from './callback.ts'
import { divide } from './divide.ts'
import { createEmailTask } from './email.ts'
import type { HttpClient } from './http/http-client.ts'
import type { SignWebhook } from './http/webhook-signature.ts'
import { createHttpRequestTask } from './http-request.ts'
import type { SendMail } from './mail.ts'
import { createNotifyTask } from './notify.ts'
import { reverse } from './reverse.ts'
import { sentiment } from './sentiment.ts'

/** Access to external services, which tasks use: sending e-mail and HTTP requests. */
export interface TaskServices {
  sendMail: SendMail
  http: HttpClient
}

export function createTaskDefinitions({ sendMail, http }: TaskServices) {
  return [
    createNotifyTask(sendMail),
    createEmailTask(sendMail),
    reverse,
    sentiment,
    divide,
    createHttpRequestTask(http),
  ] as const
}

/**
 * Creates the definitions of tasks that only Waggle itself creates.
 * @param signWebhook signs callbacks; null if no webhook secret is configured
 */
export function createInternalDefinitions(http: HttpClient, signWebhook: SignWebhook | null) {
  return [createCallbackTask(http, signWebhook)]
}

/**
 * Union of the types of the definitions that clients may submit. The types of names, inputs and results are
 * derived from it.
 */
export type ProjectDefinition = ReturnType<typeof createTaskDefinitions>[number]
