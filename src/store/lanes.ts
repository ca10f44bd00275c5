// Lanes to a Postgres server: one pool of connections per kind of statement, so that slow statements of one
// kind cannot use up the connections of another.
import type { SQL } from 'drizzle-orm'
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core'
import type pg from 'pg'
import { AppError } from '../base/errors.ts'
import { type BatchStatement, type Column, given, isColumn } from './columns.ts'
import { guarded, isWaitTimeout } from './database-errors.ts'
import { nodePostgres, PgDialect } from './drizzle.ts'
import { openServerPool, type TimedQuery, withExactJson } from './server-pool.ts'

export type Drizzle = PgDatabase<PgQueryResultHKT>

/** Runs the statements of one transaction, each with its own snapshot (`read committed`). */
export type Transaction = Pick<Queries, 'query' | 'run'>

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
  /**
   * Calls `work` with the statements of one transaction, commits it, and resolves with the result of `work`. If
   * `work` throws, the transaction is rolled back.
   * @throws like `query`
   */
  transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>
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
    query: (statement, options) => within(() => ask(pool, queryOf(statement, options))),
    run: (statement, columns, options) => within(() => ask(pool, batchQueryOf(statement, columns, options))),
    use: (work) => within(() => work(drizzle)),
    transaction: (work) => within(() => transact(pool, work)),
    close: () => pool.end(),
  }

  function within<T>(work: () => Promise<T>): Promise<T> {
    return guarded(work).catch((error) => {
      throw isWaitTimeout(error) && isBusy() ? busy() : error
    })
  }
}

interface QueryOptions {
  name?: string
  timeoutMs?: number
}

/** The pool, or the connection of a transaction. */
interface Asked {
  query(query: TimedQuery): Promise<{ rows: unknown[] }>
}

async function ask<Row>(asked: Asked, query: TimedQuery): Promise<Row[]> {
  return (await asked.query(query)).rows as Row[]
}

function queryOf(statement: SQL, { name, timeoutMs }: QueryOptions = {}): TimedQuery {
  const { sql: text, params } = dialect.sqlToQuery(statement)
  const values = params.map((value) => (isColumn(value) ? value.encoded() : value))
  return { name, text, values, timeoutMs }
}

function batchQueryOf(
  statement: BatchStatement,
  columns: Record<string, Column>,
  { timeoutMs }: Pick<QueryOptions, 'timeoutMs'> = {},
): TimedQuery {
  const text = textOf(statement, columns)
  const values = Object.values(columns).map((column) => column.encoded())
  return { name: statement.name, text, values, timeoutMs }
}

// A process that stands still in the middle of a transaction must not keep its locks: Postgres ends the transaction
// if it gets no statement for this long.
const BEGIN = "begin; set local idle_in_transaction_session_timeout = '5s'"

async function transact<T>(pool: pg.Pool, work: (transaction: Transaction) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  // The pool sets the parsers of JSON only for its own queries.
  const exact: Asked = { query: (query) => client.query(withExactJson(query)) }
  let isBroken = false
  try {
    await client.query(BEGIN)
    const result = await work({
      query: (statement, options) => ask(exact, queryOf(statement, options)),
      run: (statement, columns, options) => ask(exact, batchQueryOf(statement, columns, options)),
    })
    await client.query('commit')
    return result
  } catch (error) {
    isBroken = await client.query('rollback').then(
      () => false,
      () => true,
    )
    throw error
  } finally {
    client.release(isBroken)
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
