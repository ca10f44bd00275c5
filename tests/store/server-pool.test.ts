// The connection pool of a Postgres server: query timeouts, transactions and memory.
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { type Database, openDatabase } from '../../src/store/database.ts'
import { isOutcomeUnknown } from '../../src/store/database-errors.ts'
import { sql } from '../../src/store/drizzle.ts'
import { LANES, openLane } from '../../src/store/lanes.ts'
import { openServerPool } from '../../src/store/server-pool.ts'
import { collectYoung, heldMiB, MIB } from '../support/garbage-collection.ts'
import { until } from '../support/system.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

describe.skipIf(inject('postgresUrl') === null)('openServerPool', () => {
  let testDatabase: TestDatabase
  let database: Database
  beforeAll(async () => {
    testDatabase = await createTestDatabase()
    database = await openDatabase(testDatabase.url, { poolSize: 1 })
  })
  afterAll(async () => {
    await database.close()
    await testDatabase.drop()
  })

  test('a statement that exceeds its timeout is rejected and its connection closed; the next one uses a new connection', async () => {
    const [first] = await database.query<{ pid: number }>(sql`select pg_backend_pid() as pid`)
    await expect(database.query(sql`select pg_sleep(2)`, { timeoutMs: 100 })).rejects.toMatchObject({
      code: 'unavailable',
      cause: { message: 'Query read timeout after 100 ms' },
    })
    const [next] = await database.query<{ pid: number }>(sql`select pg_backend_pid() as pid`)
    expect(next?.pid).not.toBe(first?.pid)
  })

  test('a statement that was given up soon ends in Postgres', async () => {
    await expect(database.query(sql`select pg_sleep(600)`, { timeoutMs: 100 })).rejects.toThrow()
    await until(
      () =>
        database.query(sql`
        select query from pg_stat_activity
        where datname = current_database() and state = 'active' and pid <> pg_backend_pid()`),
      (active) => active.length === 0,
    )
  })

  test('Postgres cancels a statement a second before its client gives up: then it was not committed', async () => {
    const lane = openLane(testDatabase.url, 1, { ...LANES.writes, timeoutMs: 1_200 })
    onTestFinished(() => lane.close())
    const error = await lane.query(sql`select pg_sleep(600)`).catch((reason) => reason)
    expect(error).toMatchObject({ code: 'unavailable', cause: { code: '57014' } })
    expect(isOutcomeUnknown(error)).toBe(false)
    expect(await lane.query(sql`select 1 as one`)).toEqual([{ one: 1 }])
  })

  test('a statement without an answer may have been committed', async () => {
    const late = await database.query(sql`select pg_sleep(600)`, { timeoutMs: 100 }).catch((reason) => reason)
    expect(isOutcomeUnknown(late)).toBe(true)
    const lane = openLane('postgres://waggle@127.0.0.1:1/none', 1, LANES.writes)
    onTestFinished(() => lane.close())
    const unreachable = await lane.query(sql`select 1`).catch((reason) => reason)
    expect(unreachable).toMatchObject({ code: 'unavailable' })
    expect(isOutcomeUnknown(unreachable)).toBe(false)
  })

  test('options in the URL apply beside those of the pool, which win', async () => {
    const url = new URL(testDatabase.url)
    url.searchParams.set('options', '-c search_path=elsewhere,public -c enable_seqscan=on -c work_mem=5MB')
    const lane = openLane(url.href, 1, LANES.reads)
    onTestFinished(() => lane.close())
    const rows = await lane.query(sql`
      select current_setting('search_path') as path, current_setting('work_mem') as memory,
             current_setting('enable_seqscan') as seqscan, current_setting('jit') as jit,
             current_setting('statement_timeout') as timeout`)
    expect(rows).toEqual([
      { path: 'elsewhere,public', memory: '5MB', seqscan: 'off', jit: 'off', timeout: '9s' },
    ])
  })

  test('a transaction is committed, and a statement that fails rolls it back', async () => {
    const runBoth = (second: string) =>
      database.use((drizzle) =>
        drizzle.transaction(async (transaction) => {
          await transaction.execute(sql`create temporary table if not exists kept (word text)`)
          await transaction.execute(sql`insert into kept values ('first')`)
          await transaction.execute(sql.raw(second))
        }),
      )
    await runBoth('select 1')
    await expect(runBoth('select 1 / 0')).rejects.toMatchObject({ cause: { code: '22012' } })
    expect(await database.query(sql`select count(*)::int as count from kept`)).toEqual([{ count: 1 }])
  })

  test('queries that wait for a connection or an answer while the event loop is blocked succeed', async () => {
    const { pool } = openServerPool(testDatabase.url, { maxConnections: 1, timeoutMs: 3_000 })
    onTestFinished(() => pool.end())
    const queries = [1, 2].map((value) => pool.query(`select ${value} as value`))
    const untilMs = performance.now() + 6_500
    while (performance.now() < untilMs);
    const results = await Promise.all(queries)
    expect(results.map(({ rows }) => rows)).toEqual([[{ value: 1 }], [{ value: 2 }]])
  })

  test('the parameters of a statement are freed by minor garbage collections', async () => {
    const { pool } = openServerPool(testDatabase.url, { maxConnections: 1 })
    const send = () => pool.query({ text: 'select length($1::bytea)', values: [Buffer.alloc(MIB / 10, 1)] })
    await send()
    const before = heldMiB()
    for (let sent = 0; sent < 200; sent++) {
      await send()
      collectYoung()
    }
    await pool.end()
    expect(heldMiB() - before).toBeLessThan(5)
  })
})
