// The connection pool of a Postgres server: query timeouts, transactions and memory.
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { type Database, openDatabase } from '../../src/store/database.ts'
import { sql } from '../../src/store/drizzle.ts'
import { openServerPool } from '../../src/store/server-pool.ts'
import { collectYoung, heldMiB, MIB } from '../support/minor-collection.ts'
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

  test('the parameters of a statement are freed by minor garbage collections', async () => {
    const pool = openServerPool(testDatabase.url, 1)
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
