// What the search for abandoned tasks reads among many waiting tasks.
import type { SQL } from 'drizzle-orm'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import type { Database } from '../../src/store/database.ts'
import { PgDialect, sql } from '../../src/store/drizzle.ts'
import { PLANNER } from '../../src/store/server-pool.ts'
import { createWorkerStore, type WorkerStore } from '../../src/store/worker-store.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

const WAITING = 60_000
const HELD = 60_000
const ENQUEUED = 12_000
const ABANDONED = 3_000
const PART = 5_000

// PGlite is skipped: the tests check the planner of a Postgres server.
describe.skipIf(inject('postgresUrl') === null)('among many waiting tasks', () => {
  let system: TestSystem
  let pool: pg.Pool
  let store: WorkerStore
  const missing = newId()
  const reads: number[] = []
  let blocks = 0
  let plans = ''

  beforeAll(async () => {
    system = await startSystem({ worker: false })
    pool = new pg.Pool({ connectionString: system.database.url, options: PLANNER, max: 1 })
    pool.on('connect', (client) => client.on('error', () => {}))
    const dialect = new PgDialect()
    // Runs each statement that reads tasks a second time with `explain`.
    const query = async (statement: SQL) => {
      const { sql: text, params } = dialect.sqlToQuery(statement)
      if (text.includes('from tasks')) {
        const explained = await pool.query(`explain (analyze, buffers, format json) ${text}`, params)
        const [{ Plan: plan }] = explained.rows[0]['QUERY PLAN']
        reads.push(readOf(plan))
        blocks += plan['Shared Hit Blocks'] + plan['Shared Read Blocks']
        plans += JSON.stringify(plan)
      }
      return (await pool.query(text, params)).rows
    }
    store = createWorkerStore({ query, maintenance: { query } } as unknown as Database)
    const { database } = system.connections
    await database.query(sql`
      insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, run_at, created_at)
      select gen_random_uuid(), 'reverse', 'a', 'PENDING', '{}', 0, 1000, now(), now()
      from generate_series(1, ${WAITING}::int)`)
    await database.query(sql`
      insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, run_at, created_at, enqueued_at)
      select gen_random_uuid(), 'held', 'a', 'PENDING', '{}', 0, 1000, now(), now(), 'infinity'
      from generate_series(1, ${HELD}::int)`)
    // Several times are those of many tasks, and some tasks were enqueued within the last seconds.
    await database.query(sql`
      insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, run_at, created_at, enqueued_at, is_isolated)
      select gen_random_uuid(), 'reverse', case when n % 3 = 0 then 'b' else 'a' end, 'PENDING', '{}', 0, 1000, now(), now(),
             now() - (n / 500) * interval '3 s', n % 7 = 0
      from generate_series(1, ${ENQUEUED}::int) as n`)
    await database.query(sql`
      update tasks set status = 'STARTED', attempt = 1, worker_id = ${missing}::uuid, started_at = now() - interval '1 hour'
      where id in (select id from tasks where enqueued_at < 'infinity' order by id limit ${ABANDONED})`)
  })
  afterAll(async () => {
    await pool.end()
    await system.stop()
  })

  const self = () => ({ id: newId(), runningIds: [] })

  test.each(['without', 'with'])(
    'a search reads enqueued tasks only, in parts, %s statistics',
    async (kind) => {
      if (kind === 'with') await system.connections.database.query(sql`analyze tasks`)
      reads.length = 0
      const found = await store.findAbandoned({ missingAfterMs: 1_000, self, limit: 1_000_000 })
      expect(found).toHaveLength(ABANDONED)
      expect(new Set(found.map(({ id }) => id)).size).toBe(ABANDONED)
      // A part contains all tasks of its last time.
      expect(Math.max(...reads)).toBeLessThan(PART + 1_000)
      expect(reads.reduce((sum, count) => sum + count, 0)).toBeLessThan(1.2 * ENQUEUED)
      expect(await store.runningOf(missing)).toHaveLength(ABANDONED)
    },
  )

  test('a search ends after the part in which it has found enough', async () => {
    reads.length = 0
    const found = await store.findAbandoned({ missingAfterMs: 1_000, self, limit: 1 })
    expect(found.length).toBeLessThan(ABANDONED)
    expect(reads).toHaveLength(1)
  })

  test('rows of finished tasks are read by the first search only, without a vacuum', async () => {
    await system.connections.database.query(sql`
      update tasks set status = 'SUCCESS', finished_at = now(), enqueued_at = null where enqueued_at < 'infinity'`)
    const search = async () => {
      blocks = 0
      plans = ''
      expect(await store.findAbandoned({ missingAfterMs: 1_000, self, limit: 1_000_000 })).toEqual([])
      return blocks
    }
    const first = await search()
    // Postgres knows only after some time that no transaction can see the old rows.
    await expect.poll(search).toBeLessThan(first)
    // A bitmap scan would read them again.
    expect(plans).not.toContain('Bitmap')
  })
})

interface PlanNode {
  'Node Type': string
  'Relation Name'?: string
  'Actual Rows': number
  'Actual Loops': number
  'Rows Removed by Filter'?: number
  Plans?: PlanNode[]
}

/** Rows of `tasks` that the scans of a plan have read, including those that a filter has removed. */
function readOf(node: PlanNode): number {
  const children = (node.Plans ?? []).reduce((sum, child) => sum + readOf(child), 0)
  if (!node['Relation Name']?.startsWith('tasks')) return children
  return children + (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops']
}
