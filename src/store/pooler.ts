// Detects a connection pooler in front of Postgres, such as PgBouncer, that does not keep sessions or
// settings.
import pg from 'pg'
import { areOptionsRefused, OPTIONS_REFUSED } from './database-errors.ts'
import { connectionTo, PLANNER } from './server-pool.ts'

const TIMEOUT_MS = 5_000
// Number of comparisons. A pooler in transaction mode usually gives both clients the same session. If other
// clients use that session in between, one comparison does not find this.
const ROUNDS = 5

const TRANSACTION_MODE =
  'DATABASE_URL leads to a pooler in transaction mode (such as PgBouncer), in which named prepared statements fail. Connect to Postgres directly'
const OPTIONS_DROPPED =
  'DATABASE_URL leads to a pooler (such as PgBouncer) that does not pass on the settings of a connection (startup parameter "options"). Connect to Postgres directly'

/**
 * Refuses a pooler that shares one session of Postgres between clients, or that does not pass on the settings
 * of a connection.
 * @throws Error if the pooler is refused; errors of the connection
 */
export async function refusePooler(url: string): Promise<void> {
  const first = await connect(url)
  try {
    // A pooler reports a process id of its own when a client connects. If the session has the reported id, no
    // pooler is in between.
    if (first.processID === (await pidOf(first))) return
    const second = await connect(url)
    try {
      if (await areSessionsShared(first, second)) throw new Error(TRANSACTION_MODE)
    } finally {
      await second.end()
    }
    const { rows } = await first.query("select current_setting('enable_seqscan') as value")
    if (rows[0]?.value !== 'off') throw new Error(OPTIONS_DROPPED)
  } finally {
    await first.end()
  }
}

/** Whether the statements of two clients that stay connected run in the same session of Postgres. */
async function areSessionsShared(first: ServerClient, second: ServerClient): Promise<boolean> {
  const pids = { first: new Set<number>(), second: new Set<number>() }
  for (let round = 0; round < ROUNDS; round++) {
    pids.first.add(await pidOf(first))
    pids.second.add(await pidOf(second))
  }
  return new Set([...pids.first, ...pids.second]).size !== 2 || pids.first.size !== 1
}

/** A client of the driver. Its types lack `processID`, the process id that the server has sent. */
type ServerClient = pg.Client & { processID?: number }

async function connect(url: string): Promise<ServerClient> {
  const client: ServerClient = new pg.Client({
    ...connectionTo(url, PLANNER),
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: TIMEOUT_MS,
  })
  // Ignored, because the query that is under way also fails. Without a listener the error would end the
  // process.
  client.on('error', () => {})
  try {
    await client.connect()
  } catch (cause) {
    throw areOptionsRefused(cause) ? new Error(OPTIONS_REFUSED) : cause
  }
  return client
}

async function pidOf(client: pg.Client): Promise<number> {
  const { rows } = await client.query('select pg_backend_pid() as pid')
  return rows[0].pid
}
