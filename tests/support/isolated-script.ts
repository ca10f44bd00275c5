// An isolated process of the tests: it has the test definitions.
import { createRegistry } from '../../src/definitions/registry.ts'
import { createHttpClient } from '../../src/tasks/http/http-client.ts'
import { createMailer } from '../../src/tasks/mail.ts'
import { createInternalDefinitions, createTaskDefinitions } from '../../src/tasks/task-definitions.ts'
import { serveAttempts } from '../../src/worker/isolated/serve-attempts.ts'
import { createIsolatedDefinitions } from './isolated-definitions.ts'
import { createTestDefinitions } from './test-definitions.ts'

const sendMail = createMailer(undefined, 'test@example.com')
const http = createHttpClient()
serveAttempts(
  createRegistry(
    [
      ...createTaskDefinitions({ sendMail, http }),
      ...createTestDefinitions(),
      ...createIsolatedDefinitions().filter(({ name }) => name !== 'not_listed'),
    ],
    createInternalDefinitions(http, null),
  ),
)
