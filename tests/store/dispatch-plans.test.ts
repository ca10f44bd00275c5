// Cost of the statements that find due tasks and lost deliveries among many waiting tasks.
import type { SQL } from 'drizzle-orm'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import type { Database } from '../../src/store/database.ts'
import { createDispatchStore, type DispatchStore } from '../../src/store/dispatch-store.ts'
import { PgDialect, sql } from '../../src/store/drizzle.ts'
import { PLANNER } from '../../src/store/server-pool.ts'
import { readTableIndexes, type TableIndex, withTableIndexes } from '../support/partitioned-indexes.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

const BACKLOG = 100_000
const BATCH = 1_000

// PGlite is skipped: the tests check the planner of a Postgres server.
describe.skipIf(inject('postgresUrl') === null)('among very many due tasks with the same time', () => {
  let system: TestSystem
  let pool: pg.Pool
  let store: DispatchStore
  let tableIndex: TableIndex
  let plan: string
  let readRows = 0

  beforeAll(async () => {
    system = await startSystem({ worker: false })
    tableIndex = await readTableIndexes(system.connections.database)
    pool = new pg.Pool({ connectionString: system.database.url, options: PLANNER, max: 1 })
    pool.on('connect', (client) => client.on('error', () => {}))
    // Runs each statement with `explain`, and returns the rows of the statement itself.
    const dialect = new PgDialect()
    store = createDispatchStore({
      async query(statement: SQL) {
        const { sql: text, params } = dialect.sqlToQuery(statement)
        const explained = await pool.query(`explain (analyze, format json) ${text}`, params)
        plan = withTableIndexes(JSON.stringify(explained.rows), tableIndex)
        readRows = sumOfRows(explained.rows[0]['QUERY PLAN'][0].Plan)
        return []
      },
    } as unknown as Database)
  })
  afterAll(async () => {
    await pool.end()
    await system.stop()
  })

  // The planner has no statistics of a table that has just grown.
  test.each(['without', 'with'])('a batch reads only its own rows, %s statistics', async (kind) => {
    await system.connections.database.query(sql`truncate tasks`)
    await system.connections.database.query(sql`
      insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, run_at, created_at)
      select gen_random_uuid(), 'reverse', 'a', 'PENDING', '{}', 0, 1000, date_trunc('second', now()), now()
      from generate_series(1, ${BACKLOG}::int)`)
    if (kind === 'with') await system.connections.database.query(sql`analyze tasks`)
    for (let from = 0; from < 3; from++) {
      const after = await lastEnqueued()
      await store.markDueEnqueued('a', BATCH, after)
      expect(plan).toContain('tasks_to_enqueue')
      // The rows are read once to find them and once to update them.
      expect(readRows).toBeLessThan(5 * BATCH)
    }
    await store.clearLost('a', null, 5_000, BATCH)
    expect(plan).toContain('tasks_enqueued')
    expect(readRows).toBeLessThanOrEqual(5 * BATCH)
  })

  async function lastEnqueued() {
    const [last] = await system.connections.database.query<{ id: string; runAtMs: number }>(sql`
      select id, extract(epoch from run_at)::float8 * 1000 as "runAtMs" from tasks where enqueued_at is not null
      order by run_at desc, id desc limit 1`)
    return last
  }
})

/** Rows that the scans of a plan have read, including those that a filter has removed. */
function sumOfRows(node: { [name: string]: unknown; Plans?: never[] }): number {
  const children = (node.Plans ?? []).reduce((sum: number, child) => sum + sumOfRows(child), 0)
  if (!String(node['Node Type']).includes('Scan')) return children
  const removed = Number(node['Rows Removed by Filter'] ?? 0)
  return children + (Number(node['Actual Rows']) + removed) * Number(node['Actual Loops'])
}
