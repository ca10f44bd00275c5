// What happens before a command runs: the check of Node, and the settings of the file .env.
import { existsSync } from 'node:fs'
import type { Environment } from '../config.ts'
import { readEnvironmentFile } from './environment-file.ts'
import { UsageError } from './usage-error.ts'

/**
 * `project`: Node 24 and the settings of the project. `settings`: the settings only. `nothing`: neither, so
 * that the command works everywhere.
 */
export type Needs = 'project' | 'settings' | 'nothing'

/** Options of every command. */
export interface SharedOptions {
  /** Replaces WAGGLE_CONFIG. */
  config?: string
}

// Major version of Node that can run the TypeScript files of a project, and that has all functions that the
// API and the workers use.
const NODE_MAJOR = 24

/**
 * Adds the variables of the file .env to the environment of this process.
 * @throws Error if Node is too old; UsageError if the configuration that an option names does not exist
 */
export function prepare(
  command: string,
  needs: Needs,
  environment: Environment,
  { config }: SharedOptions = {},
): void {
  if (needs === 'project' && Number.parseInt(process.versions.node, 10) < NODE_MAJOR)
    throw new Error(
      `\`waggle ${command}\` needs Node ${NODE_MAJOR} or newer, and this is Node ${process.versions.node}`,
    )
  if (needs === 'nothing') return
  if (config !== undefined && !existsSync(config))
    throw new UsageError(`--config: there is no file ${config}`)
  readEnvironmentFile(environment)
  if (config) environment.WAGGLE_CONFIG = config
}
