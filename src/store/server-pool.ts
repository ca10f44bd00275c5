// Pool of connections to a Postgres server. It limits the time of statements, sets planner options, and
// parses JSON without rounding large numbers.
import pg from 'pg'
import { parseExactly } from '../base/exact-json.ts'

/** A query with a time limit; the default is 30 s. */
export interface TimedQuery extends pg.QueryConfig {
  timeoutMs?: number
}

// A prepared statement keeps its plan. A plan that was made while the tables were empty must not scan or
// hash-join whole tables once they are large. All our statements can use an index with nested loops, so the
// other methods are disabled. Queries that must read a whole (small) table then get a huge cost estimate, and
// Postgres would compile them with JIT, which costs a hundred times the query. So JIT is off.
export const PLANNER = '-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off'
const QUERY_TIMEOUT_MS = 30_000

/** The pool's `query` accepts a `TimedQuery`. After the limit it rejects, and the connection is closed. */
export function openServerPool(url: string, maxConnections: number): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max: maxConnections,
    // Requests fail with "unavailable" after this time instead of hanging.
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    application_name: 'waggle',
    options: PLANNER,
  })
  readExactly(pool)
  pool.on('connect', limitTime)
  // An idle connection broke (restart, failover). The pool replaces it at the next query. Without a listener,
  // the error would end the process.
  pool.on('error', () => {})
  return pool
}

type Query = (query: unknown, values: unknown, callback?: Callback) => unknown
type Callback = (error: Error | null | undefined, result: unknown) => void

/**
 * Limits the time of each query. The driver's own `query_timeout` assigns a closure to a property of each
 * query. V8 allocates such closures in its old generation. All that they reference (parameters, all rows)
 * then stays in memory until the next full collection, which would run every second, not every minute.
 */
function limitTime(connected: pg.PoolClient) {
  // The type of the event lacks `end`, which the pool's clients have.
  const client = connected as pg.PoolClient & pg.Client
  const query = client.query.bind(client) as Query
  const limited: Query = (config, values, callback) => {
    // The pool passes a callback. A caller with its own client, for a transaction, expects a promise.
    if (!callback) {
      return new Promise((resolve, reject) => {
        limited(config, values, (error, result) => (error ? reject(error) : resolve(result)))
      })
    }
    const { timeoutMs = QUERY_TIMEOUT_MS } = config as TimedQuery
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      void client.end()
    }, timeoutMs)
    return query(config, values, (error, result) => {
      clearTimeout(timer)
      callback(
        isLate ? new Error(`Query read timeout after ${timeoutMs} ms`, { cause: error }) : error,
        result,
      )
    })
  }
  client.query = limited as typeof client.query
}

export const JSON_OID = pg.types.builtins.JSON

/** Sets the JSON parser in each query, because Drizzle passes its own type parsers with each query. */
function readExactly(pool: pg.Pool) {
  const query: (...rest: unknown[]) => unknown = pool.query.bind(pool)
  const exactly = (config: unknown, ...rest: unknown[]) =>
    typeof config === 'object'
      ? query({ ...config, types: withExactJson(config as pg.QueryConfig) }, ...rest)
      : query(config, ...rest)
  pool.query = exactly as typeof pool.query
}

function withExactJson({ types = pg.types }: pg.QueryConfig): pg.CustomTypesConfig {
  return {
    getTypeParser: (oid: number, format?: 'text' | 'binary') =>
      oid === JSON_OID && format !== 'binary' ? parseExactly : types.getTypeParser(oid, format),
  }
}
