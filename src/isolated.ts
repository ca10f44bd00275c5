// An isolated process: runs attempts of the definitions of this project for the worker that has started it.
import { getPriority } from 'node:os'
import { readConfig } from './config.ts'
import { openRegistry } from './project.ts'
import { serveAttempts } from './worker/isolated/serve-attempts.ts'
import { lowerPriority } from './worker/worker-priority.ts'

// Added to the nice value of the worker. Tasks that compute then do not delay its short tasks.
const NICE = 5

lowerPriority(Math.min(19, getPriority() + NICE))
serveAttempts(openRegistry(readConfig(process.env)))
