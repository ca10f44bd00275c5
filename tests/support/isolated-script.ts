// An isolated process of the tests: it has the test definitions.
import { serveAttempts } from '../../src/worker/isolated/serve-attempts.ts'
import { createIsolatedDefinitions } from './isolated-definitions.ts'
import { createLimitedDefinitions } from './limited-definitions.ts'
import { createSampleRegistry, createSampleServices } from './sample-project.ts'
import { createTestDefinitions } from './test-definitions.ts'

serveAttempts(async () => ({
  registry: createSampleRegistry([
    ...createTestDefinitions(),
    ...createLimitedDefinitions(),
    ...createIsolatedDefinitions().filter(({ name }) => name !== 'not_listed'),
  ]),
  services: createSampleServices(),
}))
