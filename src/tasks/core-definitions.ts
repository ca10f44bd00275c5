// The task definitions of Waggle itself. Those of the project are in `waggle.config.ts`.
import { CALLBACK, createCallbackTask } from './callback.ts'
import type { HttpClient } from './http/http-client.ts'
import type { SignWebhook } from './http/webhook-signature.ts'
import { createHttpRequestTask, HTTP_REQUEST } from './http-request.ts'

/** Creates the definitions that every API has in addition to those of the project. */
export function createCoreDefinitions(http: HttpClient) {
  return [createHttpRequestTask(http)] as const
}

/**
 * Creates the definitions of tasks that only Waggle itself creates.
 * @param signWebhook signs callbacks; null if no webhook secret is configured
 */
export function createInternalDefinitions(http: HttpClient, signWebhook: SignWebhook | null) {
  return [createCallbackTask(http, signWebhook)] as const
}

/** Names that definitions of projects cannot have. */
export const RESERVED_NAMES = [HTTP_REQUEST, CALLBACK]

/** Union of the types of the definitions that every API has. */
export type CoreDefinition = ReturnType<typeof createCoreDefinitions>[number]
