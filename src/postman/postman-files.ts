// The files of the Postman collection of a project.
import { createApiDocument } from '../api/docs/api-document.ts'
import { describeRoutes } from '../api/project-routes.ts'
import { readConfig } from '../config.ts'
import type { WaggleConfig } from '../project/define-config.ts'
import { createProjectRegistry } from '../project/open-project.ts'
import { createCollection, createEnvironment } from './collection.ts'

/**
 * Returns the content of each file by its name.
 * @param options `task`: name of the definition that shows delays, retries and replays; the first by default
 * @throws AppError `unknown_definition` if there is no such definition
 */
export function createPostmanFiles(
  config: WaggleConfig,
  { task }: { task?: string } = {},
): Record<string, string> {
  const registry = createProjectRegistry(config.tasks, readConfig({}))
  const own = describeRoutes(config.routes)
  // Without a version, because the collection must change only when its requests change.
  const document = createApiDocument(registry, '', own.openapi)
  return {
    'waggle.postman_collection.json': textOf(createCollection(document, registry, { task, own })),
    'waggle.postman_environment.json': textOf(createEnvironment()),
  }
}

function textOf(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
