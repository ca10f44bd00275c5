// Pool of connections to a Postgres server. It limits the time of statements, sets planner options, and
// parses JSON without rounding large numbers.
import pg from 'pg'
import { parseExactly } from '../base/exact-json.ts'
import { startTimeLimit } from '../base/time-limit.ts'
import { isConnectTimeout, NoAnswerError, noteConnectionLoss } from './database-errors.ts'

/** A query that can set its own time limit, `timeoutMs`. The default is that of its pool. */
export interface TimedQuery extends pg.QueryConfig {
  timeoutMs?: number
}

// Planner options of every connection. Sequential scans, hash joins and merge joins are disabled (all
// statements can use indexes and nested loops), because a prepared statement keeps its plan: one that was
// made while the tables were empty would later read or hash whole large tables. JIT is off, because up to
// PostgreSQL 17 these options raise the estimated cost of reading a whole small table so far that Postgres
// would compile such queries, at a hundred times their cost. Bitmap scans are disabled, because they do not mark
// the index entries of deleted rows: each of them would read these rows again until the next vacuum.
export const PLANNER =
  '-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c enable_bitmapscan=off -c jit=off'
// By default Postgres compares the costs of a plan for the given values with those of a plan for all values. It
// estimates that the latter reads all partitions, although it skips most of them when it is run, and so plans a
// claim of one task at every call: 5 ms instead of 0.6 ms with 40 partitions. Statements must prune partitions
// by `id = $1` or by a join with given rows: `id = any($1)` reads all partitions in such a plan.
const GENERIC_PLANS = '-c plan_cache_mode=force_generic_plan'
// Postgres checks during a statement whether its client is still connected, and ends the statement if it is
// not. So statements with a short time limit of their own, and those of a killed process, do not pile up.
const CLIENT_CHECK = '-c client_connection_check_interval=1s'
const QUERY_TIMEOUT_MS = 30_000
// How long a query waits for a connection. After that it fails as `unavailable`, so that no request hangs.
const CONNECT_TIMEOUT_MS = 5_000
// How much earlier Postgres cancels a statement than its client gives up. A statement that Postgres has
// cancelled is known not to be committed; the outcome of one without an answer is unknown.
const CANCEL_BEFORE_MS = 1_000

export interface PoolOptions {
  maxConnections: number
  /** Default time limit of a query. Postgres cancels the statement one second earlier. */
  timeoutMs?: number
  /** Whether Postgres plans each statement for all values of its parameters, and so can keep the plan. */
  usesGenericPlans?: boolean
}

/** A pool of connections to a server. */
export interface ServerPool {
  pool: pg.Pool
  /** Whether all connections are in use, so that further queries wait. */
  isBusy(): boolean
}

/**
 * Opens a pool of connections. A query may have its own time limit (see `TimedQuery`): when the limit is
 * over, the query rejects and its connection is closed.
 */
export function openServerPool(
  url: string,
  { maxConnections, timeoutMs = QUERY_TIMEOUT_MS, usesGenericPlans = false }: PoolOptions,
): ServerPool {
  const plans = usesGenericPlans ? `${PLANNER} ${GENERIC_PLANS}` : PLANNER
  const pool = new pg.Pool({
    ...connectionTo(url, `${plans} ${CLIENT_CHECK} -c statement_timeout=${timeoutMs - CANCEL_BEFORE_MS}`),
    max: maxConnections,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    application_name: 'waggle',
  })
  readExactly(pool)
  connectAgainAfterBlock(pool)
  pool.on('connect', (client) => {
    limitTime(client, timeoutMs)
    client.on('error', noteConnectionLoss)
  })
  // The pool emits `error` when an idle connection breaks (restart or failover of Postgres). It is ignored,
  // because the pool opens a new connection for the next query; without a listener it would end the process.
  pool.on('error', () => {})
  let inUse = 0
  pool.on('acquire', () => inUse++)
  pool.on('release', () => inUse--)
  return { pool, isBusy: () => inUse >= maxConnections }
}

/**
 * Joins these start-up options with those in the URL: the driver would use only those in the URL. If a
 * setting occurs twice, Postgres uses its last value.
 */
export function connectionTo(url: string, options: string): pg.ClientConfig {
  const address = new URL(url)
  const given = address.searchParams.getAll('options')
  if (given.length === 0) return { connectionString: url, options }
  address.searchParams.delete('options')
  return { connectionString: address.href, options: [...given, options].join(' ') }
}

type Query = (query: unknown, values: unknown, callback?: Callback) => unknown
type Callback = (error: Error | null | undefined, result: unknown) => void

/**
 * Limits the time of each query of a connection. The option `query_timeout` of the driver is not used,
 * because it assigns a closure to a property of each query, and V8 allocates such closures in its old
 * generation. So parameters and rows would stay in memory until the next full garbage collection, which would
 * run every second instead of every minute.
 */
function limitTime(connected: pg.PoolClient, defaultTimeoutMs: number) {
  // The cast adds `end`, which the clients of the pool have but the type of the event `connect` lacks.
  const client = connected as pg.PoolClient & pg.Client
  const query = client.query.bind(client) as Query
  const limited: Query = (config, values, callback) => {
    // Like the driver's `query`, returns a promise if no callback is passed. `pool.query` always passes one;
    // code that takes a client from the pool and calls its `query` usually does not.
    if (!callback) {
      return new Promise((resolve, reject) => {
        limited(config, values, (error, result) => (error ? reject(error) : resolve(result)))
      })
    }
    const { timeoutMs = defaultTimeoutMs } = config as TimedQuery
    let isLate = false
    const limit = startTimeLimit(timeoutMs, () => {
      isLate = true
      void client.end()
    })
    return query(config, values, (error, result) => {
      limit.clear()
      callback(isLate ? new NoAnswerError(`Query read timeout after ${timeoutMs} ms`, error) : error, result)
    })
  }
  client.query = limited as typeof client.query
}

// A connection timeout that is later than this was delayed by a blocked event loop.
const LATE_MS = 500

/**
 * Repeats a query once if it found no connection only because the event loop was blocked: after a block, Node
 * runs due timers before it reads the answer of Postgres. Such a query was not sent.
 */
function connectAgainAfterBlock(pool: pg.Pool) {
  const query: (...given: unknown[]) => unknown = pool.query.bind(pool)
  const repeated = (...given: unknown[]) => {
    const startedMs = performance.now()
    const result = query(...given)
    if (!(result instanceof Promise)) return result
    return result.catch((error) => {
      const isLate = performance.now() - startedMs > CONNECT_TIMEOUT_MS + LATE_MS
      if (isLate && isConnectTimeout(error)) return query(...given)
      throw error
    })
  }
  pool.query = repeated as typeof pool.query
}

export const JSON_OID = pg.types.builtins.JSON

/**
 * Makes the pool parse JSON columns without rounding large numbers. The parser is set in each query, because
 * Drizzle passes its own type parsers with each query.
 */
function readExactly(pool: pg.Pool) {
  const query: (...rest: unknown[]) => unknown = pool.query.bind(pool)
  const exactly = (config: unknown, ...rest: unknown[]) =>
    typeof config === 'object'
      ? query(withExactJson(config as pg.QueryConfig), ...rest)
      : query(config, ...rest)
  pool.query = exactly as typeof pool.query
}

/** Returns the query with a parser of JSON columns that does not round large numbers. */
export function withExactJson(query: TimedQuery): TimedQuery {
  const { types = pg.types } = query
  const getTypeParser = (oid: number, format?: 'text' | 'binary') =>
    oid === JSON_OID && format !== 'binary' ? parseExactly : types.getTypeParser(oid, format)
  return { ...query, types: { getTypeParser } }
}
