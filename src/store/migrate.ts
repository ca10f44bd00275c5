// Brings the tables of a database up to date. Migrations are made from schema.ts: `npm run migrations`.
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { pause } from '../base/loop.ts'
import { nodePostgres, readMigrationFiles } from './drizzle.ts'

export interface MigrateOptions {
  /** Folder with the migrations. */
  folder?: string
  /** Only for servers: how to wait for a table that another session has locked. */
  lockWait?: LockWait
}

/** How a migration waits for a lock: several short tries with pauses between them. */
export interface LockWait {
  /** How long one try may wait, in milliseconds. Other queries on the table queue behind the try. */
  lockMs: number
  pauseMs: number
  tries: number
}

export const MIGRATIONS = fileURLToPath(new URL('../../migrations', import.meta.url))

// Queries that queue behind a try for 5 s are late, but do not fail: their limit is 30 s. Twelve tries take
// two minutes, which is longer than most backups and reports hold a lock.
const LOCK_WAIT: LockWait = { lockMs: 5_000, pauseMs: 5_000, tries: 12 }

// Key of the advisory lock: 'wagg' in ASCII, a number that other programs are unlikely to use.
const MIGRATION_LOCK = 0x77616767

/**
 * Brings the tables of a server up to date. Concurrent calls of several processes wait for each other.
 * @throws Error when a table stays locked, naming the statement that waited; or when the database is of an
 * earlier version
 */
export async function migrateServer(
  url: string,
  { folder = MIGRATIONS, lockWait = LOCK_WAIT }: MigrateOptions = {},
): Promise<void> {
  const { lockMs, pauseMs, tries } = lockWait
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  await client.connect()
  try {
    await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK])
    refuseEarlierVersion(await firstMigrationOf((text) => client.query(text)))
    // Set after the advisory lock, so that waiting for another migration has no limit.
    await client.query("select set_config('lock_timeout', $1, false)", [`${lockMs}ms`])
    for (let left = tries; ; left--) {
      const error = await tryToMigrate(client, folder)
      if (error === undefined) return
      if (left <= 1) throw new Error(lockMessage(error, lockWait), { cause: error })
      // Queries that have queued behind this try run during the pause.
      await pause(pauseMs)
    }
  } finally {
    await client.end()
  }
}

/**
 * Runs all migrations in one transaction. Resolves with the error if a lock was not granted in time.
 * @throws any other error
 */
async function tryToMigrate(client: pg.Client, folder: string): Promise<Error | undefined> {
  try {
    await nodePostgres.migrate(nodePostgres.drizzle(client), { migrationsFolder: folder })
    return undefined
  } catch (error) {
    if (error instanceof Error && isLockTimeout(error)) return error
    throw error
  }
}

/** SQLSTATE 55P03. Drizzle wraps the driver's error. */
function isLockTimeout(error: unknown): boolean {
  return error instanceof Error && (('code' in error && error.code === '55P03') || isLockTimeout(error.cause))
}

function lockMessage(error: Error, { lockMs, tries }: LockWait): string {
  const statement = 'query' in error ? String(error.query).trim() : 'a statement'
  return `The migration waited ${tries} times ${lockMs / 1_000} s for a lock that another session holds (see pg_stat_activity). The statement was: ${statement}`
}

/**
 * When the first migration of a database was made, in milliseconds since 1970; null if the database has none.
 * Drizzle keeps this in a table of its own, and the time identifies the migration.
 */
export async function firstMigrationOf(
  query: (text: string) => Promise<{ rows: unknown[] }>,
): Promise<number | null> {
  const table = 'drizzle.__drizzle_migrations'
  const { rows: found } = await query(`select to_regclass('${table}') is not null as exists`)
  if (!(found as { exists: boolean }[])[0]?.exists) return null
  const { rows } = await query(`select min(created_at)::float8 as ms from ${table}`)
  return (rows as { ms: number | null }[])[0]?.ms ?? null
}

/**
 * Refuses a database whose first migration is not the first one of this version. A database of a later
 * version passes: migrations only add to the tables, so this version can still run while a rollout is under
 * way.
 * @throws Error
 */
export function refuseEarlierVersion(firstMigrationMs: number | null): void {
  const [initial] = readMigrationFiles({ migrationsFolder: MIGRATIONS })
  if (firstMigrationMs === null || firstMigrationMs === initial?.folderMillis) return
  throw new Error(
    'The database was created by an earlier version of Waggle and cannot be upgraded. ' +
      'Use an empty database; for the embedded one, delete the folder in DATA_DIR (.data)',
  )
}
