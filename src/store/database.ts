// Opens the database: a Postgres server through `pg`, or PGlite inside this process (`pglite:` URLs).
import { AppError } from '../base/errors.ts'
import { parseExactly } from '../base/exact-json.ts'
import { isColumn } from './columns.ts'
import { guarded, READ_ONLY } from './database-errors.ts'
import { loadPgliteDriver, PgDialect, sql } from './drizzle.ts'
import { LANES, openLane, type Queries, type Transaction, textOf } from './lanes.ts'
import {
  MIGRATIONS,
  type MigrateOptions,
  type MigrationsRun,
  migrateServer,
  migrationsIn,
  refuseEarlierVersion,
  refuseMissingMigrations,
} from './migrate.ts'
import { openPgliteClient } from './new-pglite.ts'
import { refusePooler } from './pooler.ts'
import { JSON_OID } from './server-pool.ts'

/**
 * The database. Its own queries are those of the lane for writes. PGlite has one connection, which all lanes
 * share.
 */
export interface Database extends Queries {
  /** True for PGlite: all lanes share one connection, which a transaction uses alone. */
  hasOneConnection: boolean
  /** Single tasks, their attempts and logs. */
  reads: Queries
  /** Lists, searches and counts. */
  searches: Queries
  /** Summaries, statistics, retention, and the search for abandoned tasks. */
  maintenance: Queries
  /**
   * Resolves when Postgres answers. @throws AppError `unavailable` when it cannot be reached or is read-only
   */
  ping(): Promise<void>
  /**
   * Runs the migrations that the database lacks. Concurrent calls of several processes wait for each other.
   * @throws Error when a table stays locked, naming the table; when an earlier version of Waggle, whose tables
   * cannot be upgraded, created the database; or like `refusePooler`
   */
  migrate(options?: MigrateOptions): Promise<void>
  /**
   * Checks that this version can work with the tables: no earlier version of Waggle created them that cannot be
   * upgraded, and no migration is missing. A database without tables passes, and so does one that a later
   * version has migrated.
   * @throws Error when it cannot; AppError `unavailable`
   */
  refuseUnsuitableTables(): Promise<void>
  /**
   * Checks that no pooler such as PgBouncer is in front of Postgres that shares sessions between clients, or
   * that drops the settings of a connection.
   * @throws Error when there is one; AppError `unavailable`
   */
  refusePooler(): Promise<void>
  close(): Promise<void>
}

/**
 * Opens a database. Connections to a server are made when they are needed.
 * @param url `postgres://…`, `pglite:<folder>`, or `pglite:` for a database in memory
 * @param options.poolSize connections of the largest lane; all lanes together open at most twice as many
 */
export async function openDatabase(url: string, options: { poolSize?: number } = {}): Promise<Database> {
  return url.startsWith('pglite:') ? openPglite(url.slice('pglite:'.length)) : openServer(url, options)
}

// Time limit of each query with which a starting process checks the migrations of the database. If Postgres
// does not answer in time, the process starts without this check.
const CHECK_TIMEOUT_MS = 5_000

function openServer(url: string, { poolSize = 10 }: { poolSize?: number }): Database {
  const { close: closeWrites, ...writes } = openLane(url, poolSize, LANES.writes)
  const reads = openLane(url, poolSize, LANES.reads)
  const searches = openLane(url, poolSize, LANES.searches)
  const maintenance = openLane(url, poolSize, LANES.maintenance)
  return {
    ...writes,
    hasOneConnection: false,
    reads,
    searches,
    maintenance,
    async ping() {
      const rows = await writes.query<{ setting: string }>(
        sql`select current_setting('transaction_read_only') as setting`,
      )
      if (rows[0]?.setting === 'on') throw new AppError('unavailable', READ_ONLY)
    },
    migrate: (options) =>
      guarded(async () => {
        await refusePooler(url)
        await migrateServer(url, options)
      }),
    async refuseUnsuitableTables() {
      const read = async (text: string) => ({
        rows: await writes.query(sql.raw(text), { timeoutMs: CHECK_TIMEOUT_MS }),
      })
      refuseUnsuitable(await migrationsIn(read))
    },
    refusePooler: () => guarded(() => refusePooler(url)),
    async close() {
      await Promise.all([closeWrites(), reads.close(), searches.close(), maintenance.close()])
    },
  }
}

const dialect = new PgDialect()

async function openPglite(folder: string): Promise<Database> {
  const { drizzle: drizzlePglite, migrate } = loadPgliteDriver()
  const client = await openPgliteClient(folder, { parsers: { [JSON_OID]: parseExactly } })
  const drizzle = drizzlePglite(client)
  const migrations = () => migrationsIn((text) => client.query(text))
  const statementsOn = (asked: { query: typeof client.query }): Transaction => ({
    async query(statement) {
      const { sql: text, params } = dialect.sqlToQuery(statement)
      const values = params.map((value) => (isColumn(value) ? value.values : value))
      return (await asked.query(text, values)).rows as never
    },
    async run(statement, columns) {
      const values = Object.values(columns).map((column) => column.values)
      return (await asked.query(textOf(statement, columns), values)).rows as never
    },
  })
  const statements = statementsOn(client)
  const queries: Queries = {
    query: (statement) => guarded(() => statements.query(statement)),
    run: (statement, columns) => guarded(() => statements.run(statement, columns)),
    use: (work) => guarded(() => work(drizzle)),
    transaction: (work) =>
      guarded(() => client.transaction((transaction) => work(statementsOn(transaction)))),
  }
  return {
    ...queries,
    hasOneConnection: true,
    reads: { ...queries },
    searches: { ...queries },
    maintenance: { ...queries },
    ping: () => guarded(async () => void (await client.query('select 1'))),
    async migrate({ folder = MIGRATIONS } = {}) {
      refuseEarlierVersion(await migrations())
      await migrate(drizzle, { migrationsFolder: folder })
    },
    refuseUnsuitableTables: async () => refuseUnsuitable(await migrations()),
    refusePooler: async () => {},
    close: () => client.close(),
  }
}

function refuseUnsuitable(run: MigrationsRun | null): void {
  refuseEarlierVersion(run)
  refuseMissingMigrations(run)
}
