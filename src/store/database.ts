// The connection to Postgres: a server through `pg`, or PGlite inside this process for a URL that begins `pglite:`.
import { fileURLToPath } from 'node:url'
import type { SQL } from 'drizzle-orm'
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core'
import pg from 'pg'
import { AppError, isAppError } from '../errors.ts'
import { parseExactly } from '../exact-json.ts'
import { pause } from '../loop.ts'
import { type Column, given, type HotStatement, isColumn } from './columns.ts'
import { loadPgliteDriver, nodePostgres, PgDialect } from './drizzle.ts'
import { JSON_OID, openServerPool, type TimedQuery } from './server-pool.ts'

export type Drizzle = PgDatabase<PgQueryResultHKT>

export interface Database {
  /**
   * Runs one statement. @throws AppError `unavailable` when Postgres cannot be reached, or does not answer within
   * `timeoutMs` (30 s)
   */
  query<Row>(statement: SQL, options?: { timeoutMs?: number }): Promise<Row[]>
  /** The same for a statement of the hot path, with the columns of its rows: the same ones every time. */
  run<Row>(
    statement: HotStatement,
    columns: Record<string, Column>,
    options?: { timeoutMs?: number },
  ): Promise<Row[]>
  /** Runs what Drizzle's builders make. @throws AppError `unavailable` when Postgres cannot be reached */
  use<T>(work: (drizzle: Drizzle) => Promise<T>): Promise<T>
  /** Resolves when Postgres answers. @throws AppError `unavailable` when it cannot be reached */
  ping(): Promise<void>
  /**
   * Brings the tables up to date. Several processes may do it at once; they wait for each other.
   * @throws Error when others hold a table all the time, naming the statement that waited for it
   */
  migrate(patience?: LockPatience): Promise<void>
  close(): Promise<void>
}

/** How a migration waits for a table that somebody holds. */
export interface LockPatience {
  /** How long one try may wait, and with it everything that others ask of that table. */
  lockMs: number
  pauseMs: number
  tries: number
}

const MIGRATIONS = fileURLToPath(new URL('../../migrations', import.meta.url))

/** @param url `postgres://…`, `pglite:folder`, or `pglite:` for one that lives in memory only */
export async function openDatabase(url: string, options: { poolSize?: number } = {}): Promise<Database> {
  return url.startsWith('pglite:') ? openPglite(url.slice('pglite:'.length)) : openServer(url, options)
}

const dialect = new PgDialect()

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
    ping: () => guarded(async () => void (await pool.query('select 1'))),
    migrate: (patience) => guarded(() => migrateServer(url, patience)),
    close: () => pool.end(),
  }
}

const texts = new WeakMap<HotStatement, string>()

function textOf(statement: HotStatement, columns: Record<string, Column>): string {
  const known = texts.get(statement)
  if (known !== undefined) return known
  const { sql: text, params } = dialect.sqlToQuery(statement.build(given(columns)))
  if (params.length !== Object.keys(columns).length)
    throw new Error(`The statement ${statement.name} has parameters beside its columns`)
  texts.set(statement, text)
  return text
}

// Any number that is ours alone: 'wagg' in ASCII.
const MIGRATION_LOCK = 0x77616767

// What queues behind a migration for 5 s is late, and not refused (30 s); two minutes outlast a backup's or a report's query.
const LOCK_PATIENCE: LockPatience = { lockMs: 5_000, pauseMs: 5_000, tries: 12 }

async function migrateServer(url: string, { lockMs, pauseMs, tries }: LockPatience = LOCK_PATIENCE) {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  await client.connect()
  try {
    await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK])
    // Only from here on: nobody queues behind one who waits for another migration to end.
    await client.query("select set_config('lock_timeout', $1, false)", [`${lockMs}ms`])
    for (let left = tries; ; left--) {
      const error = await tryToMigrate(client)
      if (error === undefined) return
      if (left <= 1) throw new Error(lockMessage(error, { lockMs, tries }), { cause: error })
      // Lets pass what has queued behind us.
      await pause(pauseMs)
    }
  } finally {
    await client.end()
  }
}

/** All or nothing. Resolves with the error of a lock that did not come in time. @throws any other error */
async function tryToMigrate(client: pg.Client): Promise<Error | undefined> {
  try {
    await nodePostgres.migrate(nodePostgres.drizzle(client), { migrationsFolder: MIGRATIONS })
    return undefined
  } catch (error) {
    if (error instanceof Error && isLockTimeout(error)) return error
    throw error
  }
}

/** SQLSTATE 55P03; Drizzle wraps the driver's error. */
function isLockTimeout(error: unknown): boolean {
  return error instanceof Error && (('code' in error && error.code === '55P03') || isLockTimeout(error.cause))
}

function lockMessage(error: Error, { lockMs, tries }: Pick<LockPatience, 'lockMs' | 'tries'>): string {
  const statement = 'query' in error ? String(error.query).trim() : 'a statement'
  return `The migration waited ${tries} times ${lockMs / 1_000} s for a lock that others hold (pg_stat_activity names them), to run: ${statement}`
}

async function openPglite(folder: string): Promise<Database> {
  // Loaded only here: servers do without it, and the production image does not carry it.
  const { PGlite } = await import('@electric-sql/pglite')
  const { drizzle: drizzlePglite, migrate } = loadPgliteDriver()
  const client = await PGlite.create(folder || 'memory://', { parsers: { [JSON_OID]: parseExactly } })
  const drizzle = drizzlePglite(client)
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
    migrate: () => migrate(drizzle, { migrationsFolder: MIGRATIONS }),
    close: () => client.close(),
  }
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isUnavailable(error)) {
      throw new AppError('unavailable', 'The database cannot be reached at the moment', { cause: error })
    }
    throw error
  }
}

// SQLSTATE classes: 08 connection exception, 53 insufficient resources, 57P0x the server is shutting down or starting.
const UNAVAILABLE_STATE = /^(08...|53...|57P0[1-5])$/
const UNAVAILABLE_CODE = /^(ECONN\w+|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/
// What `pg` and PGlite throw without any code.
const UNAVAILABLE_MESSAGE =
  /^(Connection terminated|timeout expired|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|Cannot use a pool after|PGlite is clos)/

function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error) || isAppError(error)) return false
  const code = 'code' in error ? String(error.code) : ''
  if (UNAVAILABLE_STATE.test(code) || UNAVAILABLE_CODE.test(code)) return true
  if (UNAVAILABLE_MESSAGE.test(error.message)) return true
  // Drizzle wraps the driver's error; several addresses of one host fail as an AggregateError.
  if (error instanceof AggregateError && error.errors.some(isUnavailable)) return true
  return isUnavailable(error.cause)
}
