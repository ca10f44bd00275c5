// An isolated process: runs attempts of the definitions of this project for the worker that has started it.
import { getPriority } from 'node:os'
import { readConfig } from './config.ts'
import { openRegistry } from './project.ts'
import { serveAttempts } from './worker/isolated/serve-attempts.ts'
import { lowerPriority, lowerSessionPriority } from './worker/worker-priority.ts'

// Added to the nice value of the worker. Tasks that compute then do not delay its short tasks.
const NICE = 5

const nice = Math.min(19, getPriority() + NICE)
lowerPriority(nice)
// The process has a session of its own.
lowerSessionPriority(nice)
serveAttempts(openRegistry(readConfig(process.env)))
