// An isolated process of this bench.
import { NO_SERVICES } from '../../src/definitions/services.ts'
import { serveAttempts } from '../../src/worker/isolated/serve-attempts.ts'
import { createBenchRegistry } from './definitions.ts'

serveAttempts(async () => ({ registry: createBenchRegistry(), services: NO_SERVICES }))
