// Provides Postgres (PGlite, inside this process) and a private Redis server for `npm start`, if the
// configuration has no URLs for them.
import { join } from 'node:path'
import { lockData } from './data-lock.ts'
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
  const unlock = given.databaseUrl ? () => {} : await lockData(dataDir)
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
