// Reads settings from the file .env.
import { existsSync, readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import type { Environment } from '../config.ts'

// Variables of Docker Compose. A file that has one contains settings for containers, such as the API keys of
// a public server, which would surprise in a command on this machine.
const COMPOSE = ['COMPOSE_PROFILES', 'COMPOSE_FILE']

/**
 * Adds the variables of the file that WAGGLE_ENV_FILE names to the environment, or those of `.env` in the
 * current folder if it exists and is not one of Docker Compose. Variables that the environment has are kept,
 * unless they are empty.
 * @throws Error if the named file does not exist
 */
export function readEnvironmentFile(environment: Environment): void {
  const named = environment.WAGGLE_ENV_FILE || undefined
  const file = named ?? '.env'
  if (!existsSync(file)) {
    if (named) throw new Error(`WAGGLE_ENV_FILE: there is no file ${named}`)
    return
  }
  const variables = parseEnv(readFileSync(file, 'utf8'))
  const ofCompose = named ? undefined : COMPOSE.find((name) => variables[name] !== undefined)
  if (ofCompose) {
    process.stderr.write(
      `The file .env is not read, because it belongs to Docker Compose: it has ${ofCompose}. WAGGLE_ENV_FILE names another file\n`,
    )
    return
  }
  for (const [name, value] of Object.entries(variables)) {
    if (value !== '' && !environment[name]) environment[name] = value
  }
}
