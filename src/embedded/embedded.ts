// Provides Postgres (PGlite, inside this process) and a private Redis server for `npm start`, if the
// configuration has no URLs for them.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { startRedisServer } from './redis-server.ts'

export interface EmbeddedServers {
  databaseUrl: string
  redisUrl: string
  stop(): Promise<void>
}

/**
 * Returns the URLs of Postgres and Redis: those in `given`, if they are set. Without a Redis URL, starts a
 * private Redis. Without a database URL, locks `dataDir` and returns the URL of a PGlite database in this
 * folder.
 * @throws Error if another process uses `dataDir`: two PGlite instances would damage the data
 */
export async function startEmbedded(
  dataDir: string,
  given: { databaseUrl?: string; redisUrl?: string },
): Promise<EmbeddedServers> {
  const unlock = given.databaseUrl ? () => {} : lock(dataDir)
  const redis = given.redisUrl ? null : await startRedisServer()
  return {
    databaseUrl: given.databaseUrl ?? `pglite:${join(dataDir, 'postgres')}`,
    redisUrl: given.redisUrl ?? (redis?.url as string),
    async stop() {
      await redis?.stop()
      unlock()
    },
  }
}

function lock(dataDir: string): () => void {
  mkdirSync(dataDir, { recursive: true })
  const file = join(dataDir, 'lock')
  const owner = ownerOf(file)
  if (owner !== null)
    throw new Error(`${resolve(dataDir)} is in use by process ${owner}; stop it, or set DATA_DIR`)
  writeFileSync(file, String(process.pid))
  return () => rmSync(file, { force: true })
}

/** Returns the id of another running process that has written this lock file; null if there is none. */
function ownerOf(file: string): number | null {
  try {
    const pid = Number(readFileSync(file, 'utf8'))
    if (pid === process.pid) return null
    process.kill(pid, 0)
    return pid
  } catch {
    return null
  }
}
