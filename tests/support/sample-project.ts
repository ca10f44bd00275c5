// The sample project with the definitions of tests.

import { createMailer } from '../../services/mail.ts'
import type { TaskDefinition } from '../../src/definitions/define.ts'
import { createRegistry, type Registry } from '../../src/definitions/registry.ts'
import type { Services } from '../../src/definitions/services.ts'
import { createCoreDefinitions, createInternalDefinitions } from '../../src/tasks/core-definitions.ts'
import { createHttpClient, type HttpClientOptions } from '../../src/tasks/http/http-client.ts'
import { createWebhookSigner } from '../../src/tasks/http/webhook-signature.ts'
import config from '../../waggle.config.ts'

/** Creates the registry of the sample project with further definitions. */
export function createSampleRegistry(
  definitions: readonly TaskDefinition[],
  { http: options, webhookSecrets = [] }: { http?: HttpClientOptions; webhookSecrets?: string[] } = {},
): Registry {
  const http = createHttpClient(options)
  return createRegistry(
    [...config.tasks, ...createCoreDefinitions(http), ...definitions],
    createInternalDefinitions(http, createWebhookSigner(webhookSecrets)),
  )
}

/** Creates the services of the sample project. Without a URL, sending mail is simulated. */
export function createSampleServices(smtpUrl?: string): Services {
  return { sendMail: createMailer(smtpUrl, 'Waggle <waggle@example.com>') }
}
