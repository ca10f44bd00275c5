// The command `openapi`: prints the document that the API serves at /openapi.json.

import { createApiDocument } from '../api/docs/api-document.ts'
import { describeRoutes } from '../api/project-routes.ts'
import { VERSION } from '../base/installation.ts'
import { type Environment, readConfig } from '../config.ts'
import { loadProject } from '../project/load-project.ts'
import { createProjectRegistry } from '../project/open-project.ts'
import { printJson } from './print-result.ts'

export async function openapi(environment: Environment): Promise<void> {
  const { config } = await loadProject(environment)
  // Without the environment, because the document does not depend on settings.
  const registry = createProjectRegistry(config.tasks, readConfig({}))
  printJson(createApiDocument(registry, VERSION, describeRoutes(config.routes).openapi))
}
