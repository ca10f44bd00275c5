// Writes the Postman collection and its environment: `npm run postman`.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { FORMS_OPENAPI } from '../../forms/form-operations.ts'
import { createApiDocument } from '../../src/api/docs/api-document.ts'
import { readConfig } from '../../src/config.ts'
import { createProjectRegistry } from '../../src/project/open-project.ts'
import config from '../../waggle.config.ts'
import { createCollection, createEnvironment } from './collection.ts'

/** Returns the content of each file by name. */
export function createPostmanFiles(): Record<string, string> {
  const registry = createProjectRegistry(config.tasks, readConfig({}))
  // Without a version, because the collection must change only when its requests change.
  const document = createApiDocument(registry, '', FORMS_OPENAPI)
  return {
    'waggle.postman_collection.json': textOf(createCollection(document, registry)),
    'waggle.postman_environment.json': textOf(createEnvironment()),
  }
}

function textOf(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, text] of Object.entries(createPostmanFiles()))
    writeFileSync(new URL(name, import.meta.url), text)
}
