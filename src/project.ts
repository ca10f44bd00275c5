// The task definitions of this project, with the services that they use. Every process that accepts or runs
// tasks opens them: the API, the workers and the isolated processes.
import type { Config } from './config.ts'
import { createRegistry, type Registry } from './definitions/registry.ts'
import { createHttpClient } from './tasks/http/http-client.ts'
import { createWebhookSigner } from './tasks/http/webhook-signature.ts'
import { createMailer } from './tasks/mail.ts'
import { createInternalDefinitions, createTaskDefinitions } from './tasks/task-definitions.ts'

export function openRegistry(config: Config): Registry {
  const sendMail = createMailer(config.SMTP_URL, config.MAIL_FROM)
  const http = createHttpClient({ allow: config.HTTP_REQUEST_ALLOW })
  return createRegistry(
    createTaskDefinitions({ sendMail, http }),
    createInternalDefinitions(http, createWebhookSigner(config.WEBHOOK_SECRET)),
  )
}
