// Opens a project: creates the registry of its task definitions and opens its services. Every process that
// accepts or runs tasks does so: the API, the workers and the isolated processes.
import type { Config } from '../config.ts'
import type { TaskDefinition } from '../definitions/define.ts'
import { createRegistry, type Registry } from '../definitions/registry.ts'
import { type Log, NO_SERVICES, type OpenedServices, type Services } from '../definitions/services.ts'
import { createCoreDefinitions, createInternalDefinitions } from '../tasks/core-definitions.ts'
import { createHttpClient } from '../tasks/http/http-client.ts'
import { createWebhookSigner } from '../tasks/http/webhook-signature.ts'
import type { WaggleConfig } from './define-config.ts'

/** Creates the registry of the definitions of a project and of Waggle itself. */
export function createProjectRegistry(tasks: readonly TaskDefinition[], config: Config): Registry {
  const http = createHttpClient({ allow: config.HTTP_REQUEST_ALLOW })
  return createRegistry(
    [...tasks, ...createCoreDefinitions(http)],
    createInternalDefinitions(http, createWebhookSigner(config.WEBHOOK_SECRET)),
  )
}

export interface OpenServices {
  services: Services
  close(): Promise<void>
}

/**
 * Opens the services of the project.
 * @throws Error if they cannot be opened; its cause is what the project has thrown
 */
export async function openServices(
  { services: definition }: Pick<WaggleConfig, 'services'>,
  settings: Record<string, unknown>,
  log: Log,
): Promise<OpenServices> {
  if (!definition) return { services: NO_SERVICES, close: async () => {} }
  const { close, ...services } = await open()
  return {
    services: services as Services,
    async close() {
      await close?.()
    },
  }

  async function open(): Promise<OpenedServices> {
    try {
      return await (definition as NonNullable<typeof definition>).open({ settings, log })
    } catch (cause) {
      throw new Error(`The services of the project could not be opened: ${String(cause)}`, { cause })
    }
  }
}
