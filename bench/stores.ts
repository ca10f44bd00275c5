// The real servers that the systems use: one PostgreSQL for all, and for each visit a database and a Redis of its
// own, so that nobody inherits what another has left behind.
import pg from 'pg'
import { createClient } from 'redis'
import { startRedisServer } from '../src/embedded/redis-server.ts'
import { startPostgresServer } from '../tests/support/postgres-server.ts'

export interface Stores {
  postgresVersion: string
  /** An empty database and an empty Redis. */
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

/** Every setting is the default, `fsync` and `synchronous_commit` included: a commit is on the disk. */
export async function startStores(): Promise<Stores> {
  const postgres = await startPostgresServer()
  if (!postgres) throw new Error('The bench needs PostgreSQL (Debian and Ubuntu: apt-get install postgresql)')
  return {
    postgresVersion: postgres.version,
    async open(name) {
      const database = `bench_${name.replaceAll('-', '_')}`
      // The checkpoint: what the last visit wrote is not to be written to its end during this one.
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
