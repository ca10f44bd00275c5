// Writes the Postman collection and its environment: `npm run postman`.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createApiDocument } from '../../src/api/docs/api-document.ts'
import { createRegistry } from '../../src/definitions/registry.ts'
import { createHttpClient } from '../../src/tasks/http/http-client.ts'
import { createMailer } from '../../src/tasks/mail.ts'
import { createTaskDefinitions } from '../../src/tasks/task-definitions.ts'
import { createCollection, createEnvironment } from './collection.ts'

/** Returns the content of each file by name. */
export function createPostmanFiles(): Record<string, string> {
  const sendMail = createMailer(undefined, 'Waggle <waggle@localhost>')
  const registry = createRegistry(createTaskDefinitions({ sendMail, http: createHttpClient() }))
  // Without a version, because the collection must change only when its requests change.
  const document = createApiDocument(registry, '')
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
