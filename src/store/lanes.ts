// Lanes to a Postgres server: one pool of connections per kind of statement, so that slow statements of one
// kind cannot use up the connections of another.
import type { SQL } from 'drizzle-orm'
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core'
import { AppError } from '../base/errors.ts'
import { type BatchStatement, type Column, given, isColumn } from './columns.ts'
import { guarded, isWaitTimeout } from './database-errors.ts'
import { nodePostgres, PgDialect } from './drizzle.ts'
import { openServerPool, type TimedQuery } from './server-pool.ts'

export type Drizzle = PgDatabase<PgQueryResultHKT>

/** Runs statements over one lane. */
export interface Queries {
  /**
   * Runs one statement and resolves with its rows.
   * @param options.name each connection plans a statement with a name once, and a statement without one at every
   *   call. Over all partitions of a table that takes some milliseconds. The text of a name must not change
   * @throws AppError `unavailable` when Postgres cannot be reached, cancels the statement, or does not answer
   * within `timeoutMs` (the limit of the lane by default; PGlite has no time limit); `overloaded` if all
   * connections for searches are in use
   */
  query<Row>(statement: SQL, options?: { name?: string; timeoutMs?: number }): Promise<Row[]>
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
   * @throws like `query`
   */
  use<T>(work: (drizzle: Drizzle) => Promise<T>): Promise<T>
}

export interface Lane extends Queries {
  close(): Promise<void>
}

interface LaneSettings {
  /** Number of connections, as a fraction of `DATABASE_POOL_SIZE`. */
  share: number
  /** Time limit of a statement. Postgres cancels it one second earlier. */
  timeoutMs: number
  /** Whether no plan depends on the values of parameters (see `PoolOptions`). */
  usesGenericPlans?: boolean
  /** Error while all connections are in use. */
  busy: () => AppError
}

const allInUse = () => new AppError('unavailable', 'All connections to the database are in use; try again')

export const LANES = {
  /** Submissions, claims, results, heartbeats, cancel, retry, dispatch. */
  writes: { share: 1, timeoutMs: 30_000, usesGenericPlans: true, busy: allInUse },
  // Single tasks, their attempts and logs. A client of the API waits 10 s for them.
  reads: { share: 1 / 2, timeoutMs: 10_000, usesGenericPlans: true, busy: allInUse },
  // Lists, searches and counts that clients of the API request. A client waits 10 s for them. They have few
  // connections, because they need much CPU time, which submissions need too.
  searches: {
    share: 1 / 4,
    timeoutMs: 10_000,
    busy: () => new AppError('overloaded', 'Too many searches and lists are being processed; try again'),
  },
  // Summaries of queues, statistics, retention and the search for abandoned tasks. They may read whole
  // indexes.
  maintenance: { share: 1 / 4, timeoutMs: 30_000, busy: allInUse },
} satisfies Record<string, LaneSettings>

/** Opens a lane. Its connections are made when they are needed. */
export function openLane(url: string, poolSize: number, settings: LaneSettings): Lane {
  const { share, timeoutMs, usesGenericPlans, busy } = settings
  const maxConnections = Math.max(1, Math.floor(poolSize * share))
  const { pool, isBusy } = openServerPool(url, { maxConnections, timeoutMs, usesGenericPlans })
  const drizzle = nodePostgres.drizzle(pool)
  return {
    query: (statement, { name, timeoutMs } = {}) =>
      within(async () => {
        const { sql: text, params } = dialect.sqlToQuery(statement)
        const values = params.map((value) => (isColumn(value) ? value.encoded() : value))
        const query: TimedQuery = { name, text, values, timeoutMs }
        return (await pool.query(query)).rows
      }),
    run: (statement, columns, { timeoutMs } = {}) =>
      within(async () => {
        const text = textOf(statement, columns)
        const values = Object.values(columns).map((column) => column.encoded())
        const query: TimedQuery = { name: statement.name, text, values, timeoutMs }
        return (await pool.query(query)).rows
      }),
    use: (work) => within(() => work(drizzle)),
    close: () => pool.end(),
  }

  function within<T>(work: () => Promise<T>): Promise<T> {
    return guarded(work).catch((error) => {
      throw isWaitTimeout(error) && isBusy() ? busy() : error
    })
  }
}

const dialect = new PgDialect()
const texts = new WeakMap<BatchStatement, string>()

/** Returns the text of a statement, which is generated once. */
export function textOf(statement: BatchStatement, columns: Record<string, Column>): string {
  const known = texts.get(statement)
  if (known !== undefined) return known
  const { sql: text, params } = dialect.sqlToQuery(statement.build(given(columns)))
  if (params.length !== Object.keys(columns).length)
    throw new Error(`The statement ${statement.name} has parameters other than its columns`)
  texts.set(statement, text)
  return text
}
