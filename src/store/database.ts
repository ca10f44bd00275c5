// Opens the database: a Postgres server through `pg`, or PGlite inside this process (`pglite:` URLs).
import type { SQL } from 'drizzle-orm'
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core'
import { AppError, isAppError } from '../base/errors.ts'
import { parseExactly } from '../base/exact-json.ts'
import { type BatchStatement, type Column, given, isColumn } from './columns.ts'
import { loadPgliteDriver, nodePostgres, PgDialect } from './drizzle.ts'
import {
  firstMigrationOf,
  MIGRATIONS,
  type MigrateOptions,
  migrateServer,
  refuseEarlierVersion,
} from './migrate.ts'
import { JSON_OID, openServerPool, type TimedQuery } from './server-pool.ts'

export type Drizzle = PgDatabase<PgQueryResultHKT>

export interface Database {
  /**
   * Runs one statement and resolves with its rows.
   * @throws AppError `unavailable` when Postgres cannot be reached, or when a server does not answer within
   * `timeoutMs` (30 s by default; PGlite has no time limit)
   */
  query<Row>(statement: SQL, options?: { timeoutMs?: number }): Promise<Row[]>
  /**
   * Runs a prepared statement of the hot path and resolves with its rows. `columns` must have the same names
   * in the same order in every call, because the text of the statement is generated once.
   * @throws like `query`
   */
  run<Row>(
    statement: BatchStatement,
    columns: Record<string, Column>,
    options?: { timeoutMs?: number },
  ): Promise<Row[]>
  /**
   * Calls `work` with Drizzle's query builder and resolves with the result of `work`.
   * @throws AppError `unavailable` when Postgres cannot be reached
   */
  use<T>(work: (drizzle: Drizzle) => Promise<T>): Promise<T>
  /** Resolves when Postgres answers. @throws AppError `unavailable` when it cannot be reached or is read-only */
  ping(): Promise<void>
  /**
   * Runs the migrations that the database lacks. Concurrent calls of several processes wait for each other.
   * @throws Error when a table stays locked, naming the statement that waited; or when an earlier version of
   * Waggle, whose tables cannot be upgraded, created the database
   */
  migrate(options?: MigrateOptions): Promise<void>
  /**
   * Checks that the database was not created by an earlier version of Waggle, whose tables cannot be
   * upgraded. A database without tables passes.
   * @throws Error when an earlier version created it; AppError `unavailable`
   */
  refuseEarlierVersion(): Promise<void>
  close(): Promise<void>
}

/**
 * Opens a database. Connections to a server are made when they are needed.
 * @param url `postgres://…`, `pglite:<folder>`, or `pglite:` for a database in memory
 */
export async function openDatabase(url: string, options: { poolSize?: number } = {}): Promise<Database> {
  return url.startsWith('pglite:') ? openPglite(url.slice('pglite:'.length)) : openServer(url, options)
}

/** Message of the AppError `unavailable` if Postgres can be reached but accepts no writes. */
export const READ_ONLY = 'Postgres is read-only'

const dialect = new PgDialect()
// Time limit of each query with which a starting process checks that no earlier version of Waggle created the
// database. If Postgres does not answer in time, the process starts without this check.
const CHECK_TIMEOUT_MS = 5_000

function openServer(url: string, { poolSize = 10 }: { poolSize?: number }): Database {
  const pool = openServerPool(url, poolSize)
  const drizzle = nodePostgres.drizzle(pool)
  return {
    query: (statement, { timeoutMs } = {}) =>
      guarded(async () => {
        const { sql: text, params } = dialect.sqlToQuery(statement)
        const values = params.map((value) => (isColumn(value) ? value.encoded() : value))
        const query: TimedQuery = { text, values, timeoutMs }
        return (await pool.query(query)).rows
      }),
    run: (statement, columns, { timeoutMs } = {}) =>
      guarded(async () => {
        const text = textOf(statement, columns)
        const values = Object.values(columns).map((column) => column.encoded())
        const query: TimedQuery = { name: statement.name, text, values, timeoutMs }
        return (await pool.query(query)).rows
      }),
    use: (work) => guarded(() => work(drizzle)),
    ping: () =>
      guarded(async () => {
        const { rows } = await pool.query("select current_setting('transaction_read_only') as setting")
        if (rows[0]?.setting === 'on') throw new AppError('unavailable', READ_ONLY)
      }),
    migrate: (options) => guarded(() => migrateServer(url, options)),
    refuseEarlierVersion: () =>
      guarded(async () => {
        const query: TimedQuery = { text: '', timeoutMs: CHECK_TIMEOUT_MS }
        refuseEarlierVersion(await firstMigrationOf((text) => pool.query({ ...query, text })))
      }),
    close: () => pool.end(),
  }
}

const texts = new WeakMap<BatchStatement, string>()

function textOf(statement: BatchStatement, columns: Record<string, Column>): string {
  const known = texts.get(statement)
  if (known !== undefined) return known
  const { sql: text, params } = dialect.sqlToQuery(statement.build(given(columns)))
  if (params.length !== Object.keys(columns).length)
    throw new Error(`The statement ${statement.name} has parameters other than its columns`)
  texts.set(statement, text)
  return text
}

async function openPglite(folder: string): Promise<Database> {
  // PGlite is imported only when it is used, because the production image does not contain it.
  const { PGlite } = await import('@electric-sql/pglite')
  const { drizzle: drizzlePglite, migrate } = loadPgliteDriver()
  const client = await PGlite.create(folder || 'memory://', { parsers: { [JSON_OID]: parseExactly } })
  const drizzle = drizzlePglite(client)
  const firstMigration = () => firstMigrationOf((text) => client.query(text))
  return {
    query: (statement) =>
      guarded(async () => {
        const { sql: text, params } = dialect.sqlToQuery(statement)
        const values = params.map((value) => (isColumn(value) ? value.values : value))
        return (await client.query(text, values)).rows as never
      }),
    run: (statement, columns) =>
      guarded(async () => {
        const values = Object.values(columns).map((column) => column.values)
        return (await client.query(textOf(statement, columns), values)).rows as never
      }),
    use: (work) => guarded(() => work(drizzle)),
    ping: () => guarded(async () => void (await client.query('select 1'))),
    async migrate({ folder = MIGRATIONS } = {}) {
      refuseEarlierVersion(await firstMigration())
      await migrate(drizzle, { migrationsFolder: folder })
    },
    refuseEarlierVersion: async () => refuseEarlierVersion(await firstMigration()),
    close: () => client.close(),
  }
}

/** Calls `work`. Replaces errors that mean that Postgres cannot be reached by an AppError `unavailable`. */
async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isUnavailable(error)) {
      const message = hasState(error, /^25006$/) ? READ_ONLY : 'The database cannot be reached'
      throw new AppError('unavailable', message, { cause: error })
    }
    throw error
  }
}

// SQLSTATEs of errors that count as "Postgres cannot be reached": class 08 (connection exception), class 53
// (insufficient resources), 57P01 to 57P05 (server shutdown, crash or start; database dropped; session closed
// because it was idle), and 25006 (read-only, for example a replica after a failover).
const UNAVAILABLE_STATE = /^(08...|53...|57P0[1-5]|25006)$/
const UNAVAILABLE_CODE = /^(ECONN\w+|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/
// Messages of errors that count as "Postgres cannot be reached" and that have no code (`pg`, PGlite,
// server-pool.ts).
const UNAVAILABLE_MESSAGE =
  /^(Connection terminated|timeout expired|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|Cannot use a pool after|PGlite is clos)/

/** Whether the error, or an error that caused it, has such a code: an SQLSTATE or a code of Node. */
function hasState(error: unknown, code: RegExp): boolean {
  if (!(error instanceof Error)) return false
  return ('code' in error && code.test(String(error.code))) || hasState(error.cause, code)
}

function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error) || isAppError(error)) return false
  if (hasState(error, UNAVAILABLE_STATE) || hasState(error, UNAVAILABLE_CODE)) return true
  if (UNAVAILABLE_MESSAGE.test(error.message)) return true
  // Also checks nested errors. Node throws an AggregateError with one error per address if a host has several
  // addresses and none can be reached. Drizzle throws an error of its own with the driver's error as `cause`.
  if (error instanceof AggregateError && error.errors.some(isUnavailable)) return true
  return isUnavailable(error.cause)
}
