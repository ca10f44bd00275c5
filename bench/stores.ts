// The servers that the systems use: one PostgreSQL for all, and for each measurement a new database and a new
// Redis, so that no system is affected by the data of another.
import pg from 'pg'
import { createClient } from 'redis'
import { startRedisServer } from '../src/embedded/redis-server.ts'
import { startPostgresServer } from '../tests/support/postgres-server.ts'

export interface Stores {
  postgresVersion: string
  /** Creates an empty database and starts an empty Redis. */
  open(name: string): Promise<Store>
  stop(): Promise<void>
}

export interface Store {
  databaseUrl: string
  redisUrl: string
  redisPid: number
  redisVersion: string
  close(): Promise<void>
}

/**
 * PostgreSQL runs with default settings, including `fsync` and `synchronous_commit`: every commit reaches the
 * disk.
 * @param settings additional server settings, e.g. `{ shared_preload_libraries: 'pg_stat_statements' }`
 */
export async function startStores(settings: Record<string, string> = {}): Promise<Stores> {
  const postgres = await startPostgresServer(settings)
  if (!postgres) throw new Error('The bench needs PostgreSQL (Debian and Ubuntu: apt-get install postgresql)')
  return {
    postgresVersion: postgres.version,
    async open(name) {
      const database = `bench_${name.replaceAll('-', '_')}`
      // The checkpoint writes the dirty pages of the previous measurement now, and not during the next one.
      await administer(postgres.url, `create database ${database}`, 'checkpoint')
      const redis = await startRedisServer()
      return {
        databaseUrl: postgres.url.replace(/\/postgres$/, `/${database}`),
        redisUrl: redis.url,
        redisPid: redis.pid,
        redisVersion: await readRedisVersion(redis.url),
        async close() {
          await redis.stop()
          await administer(postgres.url, `drop database ${database} with (force)`)
        },
      }
    },
    stop: () => postgres.stop(),
  }
}

async function administer(url: string, ...statements: string[]) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}

async function readRedisVersion(url: string): Promise<string> {
  const client = createClient({ url })
  await client.connect()
  const info = await client.info('server')
  await client.close()
  return /redis_version:(\S+)/.exec(info)?.[1] ?? 'unknown'
}
