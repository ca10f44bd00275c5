// Reads the state of a database server for `waggle doctor`: what an operator has to know before the API and
// the workers use it. It changes nothing.
import pg from 'pg'
import { countMissing, migrationsIn, refuseEarlierVersion } from './migrate.ts'
import { TABLES } from './partitions/tables.ts'
import { refusePooler } from './pooler.ts'

export interface DatabaseState {
  /** For example `17.2`. */
  version: string
  major: number
  isReadOnly: boolean
  /** Why the connection is refused, such as a pooler in transaction mode; null if it is not. */
  fault: string | null
  /** Number of migrations that the database lacks. */
  pendingMigrations: number
  /** What the role of the connection may not do, but has to; empty if it may do everything. */
  missingPermissions: string[]
  /** How far the clock of this machine is ahead of that of the server, in milliseconds; negative if behind. */
  aheadMs: number
  /** Queues of each worker with a recent heartbeat. */
  workers: { queues: string[]; isDraining: boolean }[]
}

const TIMEOUT_MS = 5_000

/**
 * @param missingAfterMs age of the last heartbeat from which on a worker counts as missing
 * @throws Error if the server cannot be reached
 */
export async function readDatabaseState(url: string, missingAfterMs: number): Promise<DatabaseState> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: TIMEOUT_MS,
  })
  // The query that is under way fails too. Without a listener the error would end the process.
  client.on('error', () => {})
  await client.connect()
  try {
    const [server] = (
      await client.query(`
        select current_setting('server_version') as version,
               current_setting('server_version_num')::int / 10000 as major,
               current_setting('transaction_read_only') = 'on' as "isReadOnly",
               to_regclass('tasks') is not null as "hasTables"`)
    ).rows
    return {
      version: server.version.split(' ')[0],
      major: server.major,
      isReadOnly: server.isReadOnly,
      fault: await faultOf(client, url),
      pendingMigrations: countMissing(await migrationsIn((text) => client.query(text))),
      missingPermissions: await missingPermissions(client, server.hasTables),
      aheadMs: await measureClock(client),
      workers: server.hasTables ? await listWorkers(client, missingAfterMs) : [],
    }
  } finally {
    await client.end()
  }
}

async function faultOf(client: pg.Client, url: string): Promise<string | null> {
  try {
    await refusePooler(url)
    refuseEarlierVersion(await migrationsIn((text) => client.query(text)))
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/**
 * Partitions are made and removed all the time, which needs the right to create tables, and the ownership of
 * the partitioned tables. The first migration also creates a schema.
 */
async function missingPermissions(client: pg.Client, hasTables: boolean): Promise<string[]> {
  const { rows } = await client.query(
    `select current_user as role, current_schema() as schema, current_database() as database,
            coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) as "mayCreateTables",
            has_database_privilege(current_database(), 'CREATE') as "mayCreateSchemas",
            array(select relname::text from pg_class where oid = any(array(
              select to_regclass(name)::oid from unnest($1::text[]) as name)) and not pg_has_role(relowner, 'USAGE')
              order by relname) as "foreignTables"`,
    [TABLES.map(({ name }) => name)],
  )
  const { role, schema, database, mayCreateTables, mayCreateSchemas, foreignTables } = rows[0]
  return [
    ...(mayCreateTables ? [] : [`grant create on schema ${schema ?? 'public'} to ${role}`]),
    ...(mayCreateSchemas || hasTables ? [] : [`grant create on database ${database} to ${role}`]),
    ...foreignTables.map((table: string) => `alter table ${table} owner to ${role}`),
  ]
}

async function measureClock(client: pg.Client): Promise<number> {
  const before = Date.now()
  const { rows } = await client.query('select extract(epoch from clock_timestamp())::float8 * 1000 as ms')
  return (before + Date.now()) / 2 - rows[0].ms
}

async function listWorkers(client: pg.Client, missingAfterMs: number): Promise<DatabaseState['workers']> {
  const { rows } = await client.query(
    `select queues, drain_requested_at is not null as "isDraining" from workers
     where last_beat_at > now() - $1::float8 * interval '1 ms'`,
    [missingAfterMs],
  )
  return rows
}
