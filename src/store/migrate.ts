// Brings the tables of a database up to date by migrations. `npm run migrations` generates a migration from
// the changes in schema.ts.
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { pause } from '../base/loop.ts'
import { isLockTimeout } from './database-errors.ts'
import { nodePostgres, readMigrationFiles } from './drizzle.ts'

export interface MigrateOptions {
  /** Folder with the migrations; `MIGRATIONS` by default. */
  folder?: string
  /** How to wait for a table that another session has locked. PGlite has no other sessions and ignores it. */
  lockWait?: LockWait
}

/** How a migration waits for the lock of a table: in several short tries with pauses between them. */
export interface LockWait {
  /** How long one try waits for the lock, in milliseconds. Later queries of the table wait behind it. */
  lockMs: number
  pauseMs: number
  tries: number
}

export const MIGRATIONS = fileURLToPath(new URL('../../migrations', import.meta.url))

// Default for `LockWait`. A try delays other queries of the table by up to 5 s, which is within their time
// limit of 30 s. Twelve tries with pauses take two minutes, which is longer than most backups and reports
// hold a lock.
const LOCK_WAIT: LockWait = { lockMs: 5_000, pauseMs: 5_000, tries: 12 }

// Key of the advisory lock that allows one migration at a time: 'wagg' in ASCII, a number that other programs
// are unlikely to use.
const MIGRATION_LOCK = 0x77616767

/**
 * Runs the migrations that a database on a server lacks. Concurrent calls of several processes wait for each
 * other.
 * @throws Error when a table stays locked, naming the statement that waited; or when an earlier version of
 * Waggle, whose tables cannot be upgraded, created the database
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
    refuseEarlierVersion(await migrationsIn((text) => client.query(text)))
    // `lock_timeout` is set after the advisory lock is acquired, so that there is no limit on the time to
    // wait for the migration of another process.
    await client.query("select set_config('lock_timeout', $1, false)", [`${lockMs}ms`])
    for (let left = tries; ; left--) {
      const error = await tryToMigrate(client, folder)
      if (error === undefined) return
      if (left <= 1) throw new Error(lockMessage(error, lockWait), { cause: error })
      // Waits before the next try to lock the table. While a try waits for the lock, Postgres makes all later
      // queries of the table wait behind it; this pause lets them run.
      await pause(pauseMs)
    }
  } finally {
    await client.end()
  }
}

/**
 * Runs all pending migrations in one transaction. Resolves with undefined if they succeeded, and with the
 * error if a lock was not granted within `lock_timeout`.
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

function lockMessage(error: Error, { lockMs, tries }: LockWait): string {
  const statement = 'query' in error ? String(error.query).trim() : 'a statement'
  return `The migration waited ${tries} times ${lockMs / 1_000} s for a lock that another session holds (see pg_stat_activity). The statement was: ${statement}`
}

/** The first and the last migration that a database has run. */
export interface MigrationsRun {
  /** The times at which they were generated, in milliseconds since 1970, which Drizzle stores in the database. */
  firstMs: number
  lastMs: number
}

/** Reads which migrations a database has run; null if it has run none. */
export async function migrationsIn(
  query: (text: string) => Promise<{ rows: unknown[] }>,
): Promise<MigrationsRun | null> {
  const table = 'drizzle.__drizzle_migrations'
  const { rows: found } = await query(`select to_regclass('${table}') is not null as exists`)
  if (!(found as { exists: boolean }[])[0]?.exists) return null
  const { rows } = await query(
    `select min(created_at)::float8 as "firstMs", max(created_at)::float8 as "lastMs" from ${table} having count(*) > 0`,
  )
  return (rows as MigrationsRun[])[0] ?? null
}

/**
 * Refuses a database that an earlier version of Waggle created: its first migration is not the first one of
 * this version. A database that a later version has migrated passes, because migrations only add to the
 * tables, so this version can still run on it during a rollout.
 * @throws Error if the database is refused
 */
export function refuseEarlierVersion(run: MigrationsRun | null): void {
  const [initial] = readMigrationFiles({ migrationsFolder: MIGRATIONS })
  if (run === null || run.firstMs === initial?.folderMillis) return
  throw new Error(
    'The database was created by an earlier version of Waggle and cannot be upgraded. ' +
      'Use an empty database; for the embedded one, delete the folder in DATA_DIR (.data)',
  )
}

/**
 * Refuses tables on which the statements of this version would fail. A database without tables passes.
 * @throws Error if a migration of this version is missing
 */
export function refuseMissingMigrations(run: MigrationsRun | null): void {
  if (run === null || countMissing(run) === 0) return
  throw new Error('The database lacks migrations of this version of Waggle: run `waggle migrate`')
}

/** Counts the migrations of this version that a database lacks. */
export function countMissing(run: MigrationsRun | null): number {
  // The migrator runs the migrations that are newer than the last one that the database has.
  return readMigrationFiles({ migrationsFolder: MIGRATIONS }).filter(
    ({ folderMillis }) => folderMillis > (run?.lastMs ?? 0),
  ).length
}
