// Lists the tasks of this project. To add a task, add a file to this folder and a line to the list below.

import { divide } from './divide.ts'
import { createEmailTask } from './email.ts'
import type { HttpClient } from './http/http-client.ts'
import type { SignWebhook } from './http/webhook-signature.ts'
import { createHttpRequestTask } from './http-request.ts'
import type { SendMail } from './mail.ts'
import { createNotifyTask } from './notify.ts'
import { reverse } from './reverse.ts'
import { sentiment } from './sentiment.ts'

/** External services that tasks use. */
export interface TaskServices {
  sendMail: SendMail
  http: HttpClient
  /** null if no webhook secret is configured. */
  signWebhook: SignWebhook | null
}

export function createTaskDefinitions({ sendMail, http, signWebhook }: TaskServices) {
  return [
    createNotifyTask(sendMail),
    createEmailTask(sendMail),
    reverse,
    sentiment,
    divide,
    createHttpRequestTask(http, signWebhook),
  ] as const
}

/** Union of the types of all definitions, from which names, inputs and results are derived. */
export type ProjectDefinition = ReturnType<typeof createTaskDefinitions>[number]
