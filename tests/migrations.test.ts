// A migration that needs a table which others hold waits in short turns, so that nobody queues behind it for long.
import { readFile } from 'node:fs/promises'
import pg from 'pg'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { type Database, openDatabase } from '../src/store/database.ts'
import { sql } from '../src/store/drizzle.ts'
import { until } from './support/system.ts'
import { createTestDatabase } from './support/test-database.ts'

// PGlite has one connection: nobody else can hold anything.
describe.skipIf(inject('postgresUrl') === null)('while somebody reads a table', () => {
  test('a migration lets others through between its tries, and goes on when the reader is done', async () => {
    const { database, reader } = await setup()
    await reader.query('begin')
    await reader.query('select count(*) from tasks')
    const migrated = database.migrate({ lockMs: 200, pauseMs: 20, tries: 1_000 })
    await until(
      () => waiting(database),
      (count) => count === 1,
    )
    // Queues behind the migration, and is served while the reader still reads.
    await database.query(sql`select count(*) from tasks`)
    await reader.query('commit')
    await migrated
    expect(await database.query(sql`select idempotency_key from tasks`)).toEqual([])
  })

  test('a migration that never gets its turn says what it waited for, and leaves everything as it was', async () => {
    const { database, reader } = await setup()
    await reader.query('begin')
    await reader.query('select count(*) from tasks')
    await expect(database.migrate({ lockMs: 50, pauseMs: 1, tries: 3 })).rejects.toThrow(
      /^The migration waited 3 times 0\.05 s for a lock that others hold .* to run: ALTER TABLE "tasks" ADD COLUMN/,
    )
    await reader.query('commit')
    await database.migrate()
  })

  test('migrations wait for each other, however long one takes', async () => {
    const { database, reader } = await setup()
    await reader.query('select pg_advisory_lock($1)', [0x77616767])
    const migrated = database.migrate({ lockMs: 20, pauseMs: 1, tries: 1 })
    await until(
      () => waiting(database),
      (count) => count === 1,
    )
    await database.query(sql`select pg_sleep(0.1)`)
    await reader.query('select pg_advisory_unlock_all()')
    await migrated
  })
})

/** A database as the first version left it, and a connection beside ours. */
async function setup() {
  const testDatabase = await createTestDatabase()
  const database = await openDatabase(testDatabase.url)
  const reader = new pg.Client({ connectionString: testDatabase.url })
  await reader.connect()
  onTestFinished(async () => {
    await reader.end()
    await database.close()
    await testDatabase.drop()
  })
  const { entries } = JSON.parse(await migrationFile('meta/_journal.json'))
  await reader.query(`create schema drizzle;
    create table drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)`)
  for (const { tag, when } of entries.slice(0, 2)) {
    await reader.query(await migrationFile(`${tag}.sql`))
    await reader.query("insert into drizzle.__drizzle_migrations (hash, created_at) values ('', $1)", [when])
  }
  return { database, reader }
}

function migrationFile(name: string): Promise<string> {
  return readFile(new URL(`../migrations/${name}`, import.meta.url), 'utf8')
}

/** How many connections wait for a lock. */
async function waiting(database: Database): Promise<number> {
  const rows = await database.query<{ count: number }>(sql`
    select count(*)::int as count from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`)
  return rows[0]?.count ?? 0
}
