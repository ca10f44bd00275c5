// The query for changes of watched tasks: its cost grows linearly with their number.
import pg from 'pg'
import { expect, inject, onTestFinished, test, vi } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import { readTableIndexes, withTableIndexes } from '../support/partitioned-indexes.ts'
import { startSystem } from '../support/system.ts'

// PGlite has no connections whose statements the test could read.
test.skipIf(inject('postgresUrl') === null)(
  'each watched task is compared with its own row only',
  async () => {
    const sent: pg.QueryConfig[] = []
    const query = pg.Client.prototype.query
    const spy = vi.spyOn(pg.Client.prototype, 'query').mockImplementation(function (
      this: pg.Client,
      ...given: unknown[]
    ) {
      const [config] = given
      if (typeof config === 'object' && config !== null) sent.push(config as pg.QueryConfig)
      return query.apply(this, given as never)
    } as never)
    onTestFinished(() => spy.mockRestore())
    const system = await startSystem({ worker: false })
    onTestFinished(() => system.stop())
    sent.length = 0
    const known = Array.from({ length: 100 }, () => ({ id: newId(), version: 0 }))
    expect(await system.connections.taskReader.findChanged(known)).toEqual([])
    const statements = sent.filter(({ text }) => /version/.test(text))
    expect(statements).toHaveLength(1)

    const client = new pg.Client({ connectionString: system.database.url })
    await client.connect()
    onTestFinished(() => client.end())
    // The planner settings of our connections; see server-pool.ts.
    await client.query('set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off')
    const [{ text = '', values = [] } = {}] = statements
    const { rows } = await client.query(`explain (format json) ${text}`, values)
    const tableIndex = await readTableIndexes(system.connections.database)
    const plan = withTableIndexes(JSON.stringify(rows[0]['QUERY PLAN']), tableIndex)
    expect(plan).toContain('tasks_pkey')
    // A condition on all ids in a filter would be evaluated for each task: N x N comparisons.
    expect(plan).not.toMatch(/Filter":"[^"]*ANY/)
  },
)
