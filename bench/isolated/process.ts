// An isolated process of this bench.
import { serveAttempts } from '../../src/worker/isolated/serve-attempts.ts'
import { createBenchRegistry } from './definitions.ts'

serveAttempts(createBenchRegistry())
