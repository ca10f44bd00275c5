// Brings the tables of a database up to date by migrations. `npm run migrations` generates a migration from
// the changes in schema.ts.
import { fileURLToPath } from 'node:url'
import type { MigrationMeta } from 'drizzle-orm/migrator'
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

/** How a migration waits for the tables that it changes: in several tries with pauses between them. */
export interface LockWait {
  /**
   * How long a try waits for its first table at most, in milliseconds. Later queries of the table wait behind
   * it. The first try waits for 100 ms, and each further one twice as long.
   */
  lockMs: number
  /** After this time no further try begins, in milliseconds. */
  limitMs: number
}

export const MIGRATIONS = fileURLToPath(new URL('../../migrations', import.meta.url))

// Default for `LockWait`. A try delays other queries of the table by up to 5 s, which is within their time
// limit of 30 s. Two minutes are longer than most backups and reports hold a lock.
const LOCK_WAIT: LockWait = { lockMs: 5_000, limitMs: 120_000 }

// A statement that waits behind a try can keep back the statement for which the try waits. Postgres finds
// this after a second, a short try gives up before.
const FIRST_LOCK_MS = 100
// How long a try waits for all tables after the first one. A statement that has locked one of them can wait
// for the first one, so this must be shorter than the time after which Postgres looks for deadlocks
// (`deadlock_timeout`, 1 s): it would end that statement with an error.
const MORE_LOCKS_MS = 700

// Key of the advisory lock that allows one migration at a time: 'wagg' in ASCII, a number that other programs
// are unlikely to use.
const MIGRATION_LOCK = 0x77616767

/**
 * Runs the migrations that a database on a server lacks. Concurrent calls of several processes wait for each
 * other.
 * @throws Error when a table stays locked, naming the table; or when an earlier version of Waggle, whose
 * tables cannot be upgraded, created the database
 */
export async function migrateServer(
  url: string,
  { folder = MIGRATIONS, lockWait = LOCK_WAIT }: MigrateOptions = {},
): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  await client.connect()
  try {
    // Before `lock_timeout` is set, so that there is no limit on the time to wait for the migration of
    // another process.
    await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK])
    const run = await migrationsIn((text) => client.query(text))
    refuseEarlierVersion(run)
    let tables = await changedTables(client, missingMigrations(run, folder))
    const startedMs = performance.now()
    for (let lockMs = FIRST_LOCK_MS; ; lockMs *= 2) {
      const tryMs = performance.now()
      const options = { folder, tables, lockMs: Math.min(lockMs, lockWait.lockMs) }
      const blocked = await tryToMigrate(client, options)
      if (!blocked) return
      const endedMs = performance.now()
      if (endedMs - startedMs > lockWait.limitMs) throw blocked.error
      // The next try waits for this table first, because it may then wait for longer.
      tables = [...new Set([blocked.table ?? [], tables].flat())]
      // Statements that have waited behind this try run before the next one.
      await pause(endedMs - tryMs)
    }
  } finally {
    await client.end()
  }
}

interface Blocked {
  /** The table that could not be locked; undefined if a statement of a migration could not lock something. */
  table?: string
  error: Error
}

/**
 * Locks the tables and runs all pending migrations, in one transaction. Resolves with undefined if they
 * succeeded.
 * @throws any error other than a lock that was not granted in time
 */
async function tryToMigrate(
  client: pg.Client,
  { folder, tables, lockMs }: { folder: string; tables: string[]; lockMs: number },
): Promise<Blocked | undefined> {
  let table: string | undefined
  try {
    await client.query('begin')
    await limitLocks(client, lockMs)
    for (table of tables) {
      await client.query(`lock table ${table} in access exclusive mode`)
      if (table === tables[0]) await limitLocks(client, Math.min(lockMs, MORE_LOCKS_MS / tables.length))
    }
    table = undefined
    // `begin` changes nothing within a transaction, so that of the migrator does not, and its `commit` ends
    // this one.
    await nodePostgres.migrate(nodePostgres.drizzle(client), { migrationsFolder: folder })
    return undefined
  } catch (error) {
    // Fails only with the connection. Then the first error is the one to report.
    await client.query('rollback').catch(() => {})
    if (!(error instanceof Error) || !isLockTimeout(error)) throw error
    return { table, error: lockError(error, table) }
  }
}

const limitLocks = (client: pg.Client, ms: number) =>
  client.query("select set_config('lock_timeout', $1, true)", [`${Math.ceil(ms)}ms`])

function lockError(cause: Error, table: string | undefined): Error {
  const statement = 'query' in cause ? `. The statement was: ${String(cause.query).trim()}` : ''
  const what = table === undefined ? 'a table' : `the table ${table}`
  return new Error(
    `The migration could not lock ${what}, because another session uses it (see pg_stat_activity)${statement}`,
    { cause },
  )
}

/** Returns the tables of the database that the migrations name, as SQL, in the order of the migrations. */
async function changedTables(client: pg.Client, migrations: MigrationMeta[]): Promise<string[]> {
  const { rows } = await client.query(
    `select relname as name, oid::regclass::text as sql from pg_class
     where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p') and not relispartition`,
  )
  const text = migrations.flatMap(({ sql }) => sql).join('\n')
  return (rows as { name: string; sql: string }[])
    .map(({ name, sql }) => ({ sql, place: text.search(new RegExp(`\\b${name}\\b`)) }))
    .filter(({ place }) => place >= 0)
    .toSorted((a, b) => a.place - b.place)
    .map(({ sql }) => sql)
}

/** The first and the last migration that a database has run. */
export interface MigrationsRun {
  /** The times at which they were generated, in milliseconds since 1970. Drizzle stores them. */
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
  return missingMigrations(run, MIGRATIONS).length
}

function missingMigrations(run: MigrationsRun | null, folder: string): MigrationMeta[] {
  // The migrator runs the migrations that are newer than the last one that the database has.
  return readMigrationFiles({ migrationsFolder: folder }).filter(
    ({ folderMillis }) => folderMillis > (run?.lastMs ?? 0),
  )
}
