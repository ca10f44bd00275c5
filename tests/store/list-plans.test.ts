// Cost of lists among 300,000 tasks: every page costs the same, and statuses with few tasks are read from
// their own index.
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { firstIdOf } from '../../src/base/uuidv7.ts'
import type { TaskStatus } from '../../src/definitions/task-status.ts'
import type { Database } from '../../src/store/database.ts'
import { nodePostgres, sql } from '../../src/store/drizzle.ts'
import { PLANNER } from '../../src/store/server-pool.ts'
import type { TaskFilter } from '../../src/store/task-filter.ts'
import { createTaskList, type TaskList } from '../../src/store/task-list.ts'
import { readTableIndexes, type TableIndex } from '../support/partitioned-indexes.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

const ALL = 300_000
// Of this many tasks one is PENDING, one FAILURE and one CANCELLED; the others are SUCCESS.
const RARE = 50_000

interface Statement {
  text: string
  params: unknown[]
}

interface PlanNode {
  'Node Type': string
  'Index Name'?: string
  'Scan Direction'?: string
  'Actual Rows': number
  'Actual Loops': number
  'Rows Removed by Filter'?: number
  Plans?: PlanNode[]
}

const DAY_MS = 86_400_000
// The tasks are in eight partitions, which begin today. The ids are in the order of the numbers.
const FIRST_MS = Math.floor(Date.now() / DAY_MS) * DAY_MS
const STEP_MS = (8 * DAY_MS) / ALL
const idOf = (number: number) =>
  `${firstIdOf(FIRST_MS + number * STEP_MS).slice(0, 13)}-7000-8000-${number.toString(16).padStart(12, '0')}`
const numberOf = (id: string | null) => Number.parseInt(id?.slice(-12) ?? '', 16)

// PGlite is skipped: the tests check the planner and the statistics of a Postgres server.
describe.skipIf(inject('postgresUrl') === null)('among very many tasks', () => {
  let system: TestSystem
  let pool: pg.Pool
  let list: TaskList
  let tableIndex: TableIndex
  let statements: Statement[] = []

  beforeAll(async () => {
    system = await startSystem({ worker: false })
    tableIndex = await readTableIndexes(system.connections.database)
    // Connections with the same planner settings as the system's own. Their statements are recorded.
    pool = new pg.Pool({
      connectionString: system.database.url,
      options: PLANNER,
    })
    // The database can be dropped before the connections are closed.
    pool.on('connect', (client) => client.on('error', () => {}))
    pool.on('error', () => {})
    const drizzle = nodePostgres.drizzle(pool, {
      logger: { logQuery: (text, params) => statements.push({ text, params }) },
    })
    list = createTaskList({ use: (work) => work(drizzle) } as Database)
    await system.connections.database.query(sql`
      insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, run_at, created_at, finished_at,
                         result, error, cancel_requested_at)
      select (lpad(to_hex(floor(${FIRST_MS}::float8 + n * ${STEP_MS}::float8)::int8), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid, 'reverse', 'default', status,
             json_build_object('text', n), 3, 1000, now(), now(), case when status <> 'PENDING' then now() end,
             case when status = 'SUCCESS' then '{"text":"x"}'::json end,
             case when status = 'FAILURE' then '{"name":"Error","message":"no","retryable":true}'::json end,
             case when status = 'CANCELLED' then now() end
      from generate_series(1, ${ALL}::int) as n,
           lateral (select case n % ${RARE}::int when 1 then 'PENDING' when 2 then 'FAILURE' when 3 then 'CANCELLED'
                                                 else 'SUCCESS' end as status) as made`)
  })
  afterAll(async () => {
    await pool?.end()
    await system?.stop()
  })

  describe.each(['before', 'after'])('%s vacuum analyze', (when) => {
    beforeAll(async () => {
      if (when === 'after') await system.connections.database.query(sql`vacuum analyze tasks`)
    })

    test.each<[TaskStatus[], number, string]>([
      [['FAILURE'], 6, 'tasks_unsuccessful'],
      [['CANCELLED'], 6, 'tasks_unsuccessful'],
      [['FAILURE', 'CANCELLED'], 12, 'tasks_unsuccessful'],
      [['PENDING', 'STARTED', 'RETRY'], 6, 'tasks_live'],
    ])(
      'the few %s tasks are read from a partial index without the other tasks',
      async (statuses, count, index) => {
        const { rows, next } = await list.list({ statuses }, { limit: 50 })
        expect([rows.length, next]).toEqual([count, null])
        const cost = await costOf({ statuses })
        expect(cost.rows).toBeLessThanOrEqual(50)
        // Without statistics the planner may read the few rows and sort them.
        if (when === 'after') expect(cost.indexes).toEqual([index])
      },
    )

    // Without statistics, for a minute at most, the planner assumes a small table and may sort all of it.
    test.skipIf(when === 'before').each<[string, TaskFilter, number]>([
      ['no filter', {}, 60],
      ['a status of most tasks', { statuses: ['SUCCESS'] }, 60],
      ['a name without tasks', { names: ['other'] }, 60_000],
      ['a finished and an unfinished status', { statuses: ['FAILURE', 'PENDING'] }, 60_000],
      ['a text without matches', { text: 'nowhere' }, 20_000],
      ['an input without matches', { inputs: [{ path: ['text'], value: 'x' }] }, 20_000],
    ])('the newest and the oldest page cost the same with %s', async (_what, filter, maxRows) => {
      const [newest, oldest] = [await costOf(filter), await costOf(filter, idOf(ALL / 5))]
      expect(newest).toEqual({ indexes: ['tasks_pkey'], rows: expect.toSatisfy(atMost(maxRows)) })
      expect(oldest).toEqual({ indexes: ['tasks_pkey'], rows: expect.toSatisfy(atMost(maxRows)) })
    })

    test('a page without matches returns a cursor to the last row that was read', async () => {
      const { rows, next } = await list.list({ names: ['other'] }, { limit: 50 })
      expect([rows, numberOf(next)]).toEqual([[], ALL - 30_000 + 1])
    })

    test('a count is done in parts of 5,000 rows, and the sum of the parts is exact', async () => {
      const counts: number[] = []
      let before: string | undefined
      do {
        const { count, first, next } = await list.count({ statuses: ['SUCCESS'] }, before)
        if (before === undefined) expect(numberOf(first)).toBe(ALL + 1)
        counts.push(count)
        before = next ?? undefined
      } while (before !== undefined)
      expect(Math.max(...counts)).toBeLessThanOrEqual(5_000)
      expect(counts.length).toBe(Math.ceil((ALL + 1) / 5_000))
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(6 * (RARE - 3))
      expect((await list.count({ statuses: ['FAILURE'] })).count).toBe(6)
    })
  })

  /** Returns the indexes that one page reads and the number of rows read. */
  async function costOf(filter: TaskFilter, before?: string) {
    statements = []
    await list.listCompact(filter, { before, limit: 50 })
    const plans = await Promise.all(statements.map(planOf))
    const scans = plans.flatMap(scansIn)
    return {
      indexes: [
        ...new Set(
          scans.map((scan) => (scan['Index Name'] ? tableIndex(scan['Index Name']) : scan['Node Type'])),
        ),
      ],
      rows: scans.reduce((sum, scan) => sum + scan['Actual Rows'] + (scan['Rows Removed by Filter'] ?? 0), 0),
    }
  }

  async function planOf({ text, params }: Statement): Promise<PlanNode> {
    const { rows } = await pool.query(`explain (analyze, format json) ${text}`, params)
    return rows[0]['QUERY PLAN'][0].Plan
  }
})

function scansIn(node: PlanNode): PlanNode[] {
  // Rows below a sort count too: a sort reads all of its input. A merge reads the first row of each partition. A
  // list reads one partition after the other (`Append`), and none after the one in which its page ends.
  const isCounted = /Scan|Sort|Merge/.test(node['Node Type']) && node['Node Type'] !== 'Subquery Scan'
  if (node['Actual Loops'] === 0) return []
  return [...(isCounted ? [node] : []), ...(node.Plans ?? []).flatMap(scansIn)]
}

const atMost = (maxRows: number) => (rows: number) => rows <= maxRows
