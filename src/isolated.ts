// An isolated process: runs attempts of the definitions of this project for the worker that has started it.
import { readConfig } from './config.ts'
import { openRegistry } from './project.ts'
import { serveAttempts } from './worker/isolated/serve-attempts.ts'

serveAttempts(openRegistry(readConfig(process.env)))
