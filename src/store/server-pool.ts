// The connections to a Postgres server: how long a statement may take there, how it is planned, how JSON is read.
import pg from 'pg'
import { parseExactly } from '../base/exact-json.ts'

/** A statement that says how long it may take to be answered (30 s). */
export interface TimedQuery extends pg.QueryConfig {
  timeoutMs?: number
}

// Every statement of ours can go by an index, row by row, and has to: a plan that was made while the tables were empty is
// kept with its statement, and must not read all of them when they are large, as a scan or for a hash or merge join. Where
// there is no other way (a whole small table), the price that Postgres puts on it would have the statement compiled first,
// which costs a hundred times what it does.
export const PLANNER = '-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off'
const QUERY_TIMEOUT_MS = 30_000

/** Its `query` takes a `TimedQuery` as well. One that is not answered in time rejects, and its connection is given up. */
export function openServerPool(url: string, maxConnections: number): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max: maxConnections,
    // Whoever waits for an answer gets "unavailable" after this, and not a hung request.
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    application_name: 'waggle',
    options: PLANNER,
  })
  readExactly(pool)
  pool.on('connect', limitTime)
  // An idle connection that breaks (a restart, a failover) is replaced at the next query.
  pool.on('error', () => {})
  return pool
}

type Query = (query: unknown, values: unknown, answer?: Answer) => unknown
type Answer = (error: Error | null | undefined, result: unknown) => void

/**
 * Not by the driver's own `query_timeout`: it writes a function literal into each query. V8 puts such a function into its
 * old generation at once, and whatever that reaches (the parameters, all the rows) stays until the whole heap is
 * collected, which then happens every second and not every minute.
 */
function limitTime(connected: pg.PoolClient) {
  // What a pool opens; the type of its event leaves out that a connection can be ended.
  const client = connected as pg.PoolClient & pg.Client
  const query = client.query.bind(client) as Query
  const limited: Query = (config, values, answer) => {
    // A pool takes the answer by a callback; who has a connection of its own, for a transaction, by a promise.
    if (!answer) {
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
      answer(isLate ? new Error(`Query read timeout after ${timeoutMs} ms`, { cause: error }) : error, result)
    })
  }
  client.query = limited as typeof client.query
}

export const JSON_OID = pg.types.builtins.JSON

/** Drizzle brings types of its own with every query, so it is there that JSON is given its parser. */
function readExactly(pool: pg.Pool) {
  const query: (...rest: unknown[]) => unknown = pool.query.bind(pool)
  const exactly = (config: unknown, ...rest: unknown[]) =>
    typeof config === 'object'
      ? query({ ...config, types: typesBeside(config as pg.QueryConfig) }, ...rest)
      : query(config, ...rest)
  pool.query = exactly as typeof pool.query
}

function typesBeside({ types = pg.types }: pg.QueryConfig): pg.CustomTypesConfig {
  return {
    getTypeParser: (oid: number, format?: 'text' | 'binary') =>
      oid === JSON_OID && format !== 'binary' ? parseExactly : types.getTypeParser(oid, format),
  }
}
