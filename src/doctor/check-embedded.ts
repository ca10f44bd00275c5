// Checks what `waggle dev` needs for its own Redis and its embedded Postgres.
import { accessSync, constants, existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { messageOf } from '../base/errors.ts'
import { findRedisProgram } from '../embedded/redis-server.ts'
import { type Check, ok, wrong } from './check.ts'

/** Checks the data folder of the embedded Postgres. */
export function checkDataFolder(dataDir: string): Check {
  const folder = resolve(dataDir)
  try {
    // A folder that does not exist is created inside the nearest folder that exists.
    accessSync(nearest(folder), constants.R_OK | constants.W_OK | constants.X_OK)
    return ok(`DATABASE_URL is not set: \`waggle dev\` keeps its data in ${folder}`)
  } catch (error) {
    return wrong(
      `\`waggle dev\` cannot write to ${folder}: ${messageOf(error)}. Change its permissions, or set DATA_DIR`,
    )
  }
}

export function checkOwnRedis(): Check {
  const program = findRedisProgram()
  return program
    ? ok(`REDIS_URL is not set: \`waggle dev\` starts ${program}`)
    : wrong(
        'REDIS_URL is not set and no redis-server was found: install Redis 6.2 or newer, or set REDIS_URL',
      )
}

function nearest(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : nearest(dirname(folder))
}
