// Lanes to Postgres: statements of one kind cannot use up the connections of another kind.
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { startSystem, type TestSystem, until } from '../support/system.ts'

describe.skipIf(inject('postgresUrl') === null)('while all connections of searches are in use', () => {
  let system: TestSystem
  beforeAll(async () => {
    system = await startSystem({ worker: false, poolSize: 2 })
  })
  afterAll(() => system?.stop())

  test('submissions, reads and the queue summary are answered; a further search is told that searches are busy', async () => {
    const { id } = await system.submit('reverse', { text: 'a' })
    const unblock = await blockSearches(id)
    onTestFinished(unblock)
    const searches = Array.from({ length: 4 }, () => system.request('GET', '/v1/tasks?q=nothing'))
    await until(countBlocked, (count) => count > 0)

    const other = await system.submit('reverse', { text: 'b' })
    expect((await system.request('GET', `/v1/tasks/${other.id}`)).status).toBe(200)
    expect((await system.request('GET', '/v1/queues')).status).toBe(200)

    const refused = await Promise.race(searches)
    expect(refused.status).toBe(503)
    expect(refused.headers.get('Retry-After')).toBe('2')
    expect(refused.body).toMatchObject({ type: 'urn:waggle:problem:overloaded', detail: /searches/i })
    await unblock()
    const statuses = (await Promise.all(searches)).map(({ status }) => status)
    expect(statuses).toContain(200)
  })

  /**
   * Blocks every statement that reads the result of the task. The result is stored in the TOAST table, whose
   * index is locked; statements that read no large values do not use it.
   */
  async function blockSearches(id: string): Promise<() => Promise<void>> {
    const client = new pg.Client({ connectionString: system.database.url })
    await client.connect()
    await client.query(
      `update tasks set result = (
         select to_json(string_agg(md5(n::text), '')) from generate_series(1, 10000) as n
       ) where id = $1`,
      [id],
    )
    const { rows } = await client.query(
      `select reltoastrelid::regclass as name from pg_class
       where oid = (select tableoid from tasks where id = $1)`,
      [id],
    )
    await client.query('begin')
    await client.query(`reindex table ${rows[0].name}`)
    return () => client.end()
  }

  async function countBlocked(): Promise<number> {
    const client = new pg.Client({ connectionString: system.database.url })
    await client.connect()
    const { rows } = await client.query(
      "select count(*)::int as count from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    )
    await client.end()
    return rows[0].count
  }
})
