// Migrations wait for a locked table in short tries, so that other statements do not queue behind them for
// long.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { type Database, openDatabase } from '../../src/store/database.ts'
import { sql } from '../../src/store/drizzle.ts'
import { until } from '../support/system.ts'
import { createTestDatabase } from '../support/test-database.ts'

// PGlite has one connection, so no other session can hold a lock.
describe.skipIf(inject('postgresUrl') === null)('while another session reads a table', () => {
  test('other statements run between the tries of a migration, which continues after the reader has committed', async () => {
    const { database, reader, folder } = await setup()
    await reader.query('begin')
    await reader.query('select count(*) from tasks')
    const migrated = database.migrate({ folder, lockWait: { lockMs: 200, limitMs: 60_000 } })
    await until(
      () => countWaiting(database),
      (count) => count === 1,
    )
    // This statement queues behind the migration and runs while the reader still holds its lock.
    await database.query(sql`select count(*) from tasks`)
    await reader.query('commit')
    await migrated
    expect(await database.query(sql`select added_later from tasks`)).toEqual([])
  })

  test('a migration that never gets its lock fails with the name of the table and changes nothing', async () => {
    const { database, reader, folder } = await setup()
    await reader.query('begin')
    await reader.query('select count(*) from tasks')
    await expect(database.migrate({ folder, lockWait: { lockMs: 50, limitMs: 300 } })).rejects.toThrow(
      'The migration could not lock the table tasks, because another session uses it (see pg_stat_activity)',
    )
    await reader.query('commit')
    await database.migrate({ folder })
  })

  test('a statement that has locked one of the tables of a migration, and needs another one, succeeds', async () => {
    const { database, reader, folder } = await setup(['tasks', 'idempotency_keys'])
    await reader.query('begin')
    await reader.query('select count(*) from idempotency_keys')
    const migrated = database.migrate({ folder })
    // It has locked `tasks`, and waits for the other table.
    await until(
      () => countWaiting(database),
      (count) => count === 1,
    )
    await reader.query('select count(*) from tasks')
    await reader.query('commit')
    await migrated
    expect(await database.query(sql`select added_later from idempotency_keys`)).toEqual([])
  })

  test('a migration waits for another migration without a time limit', async () => {
    const { database, reader, folder } = await setup()
    await reader.query('select pg_advisory_lock($1)', [0x77616767])
    const migrated = database.migrate({ folder, lockWait: { lockMs: 20, limitMs: 0 } })
    await until(
      () => countWaiting(database),
      (count) => count === 1,
    )
    await database.query(sql`select pg_sleep(0.1)`)
    await reader.query('select pg_advisory_unlock_all()')
    await migrated
  })
})

/** Opens a database with the initial migration, a folder with one more migration, and a second connection. */
async function setup(tables = ['tasks']) {
  const testDatabase = await createTestDatabase({ isEmpty: true })
  const database = await openDatabase(testDatabase.url)
  const reader = new pg.Client({ connectionString: testDatabase.url })
  await reader.connect()
  const folder = await mkdtemp(join(tmpdir(), 'migrations-'))
  onTestFinished(async () => {
    await reader.end()
    await database.close()
    await testDatabase.drop()
    await rm(folder, { recursive: true })
  })
  await database.migrate()
  await writeMigrations(folder, tables)
  return { database, reader, folder }
}

async function writeMigrations(folder: string, tables: string[]): Promise<void> {
  await cp(new URL('../../migrations', import.meta.url), folder, { recursive: true })
  const journalFile = join(folder, 'meta/_journal.json')
  const journal = JSON.parse(await readFile(journalFile, 'utf8'))
  const { when } = journal.entries.at(-1)
  const entry = {
    idx: journal.entries.length,
    version: '7',
    when: when + 1,
    tag: 'added_later',
    breakpoints: true,
  }
  await writeFile(journalFile, JSON.stringify({ ...journal, entries: [...journal.entries, entry] }))
  const statements = tables.map((table) => `ALTER TABLE "${table}" ADD COLUMN "added_later" text;`)
  await writeFile(join(folder, 'added_later.sql'), statements.join('--> statement-breakpoint\n'))
}

const EARLIER_VERSION = /^The database was created by an earlier version of Waggle and cannot be upgraded\. /

test('a database of an earlier version is rejected', async () => {
  const database = await openDatabase('pglite:')
  onTestFinished(() => database.close())
  // A database without tables and one with the tables of this version are accepted.
  await database.refuseUnsuitableTables()
  await database.migrate()
  await database.refuseUnsuitableTables()
  await database.query(sql`update drizzle.__drizzle_migrations set created_at = created_at - 1`)
  await expect(database.refuseUnsuitableTables()).rejects.toThrow(EARLIER_VERSION)
  await expect(database.migrate()).rejects.toThrow(EARLIER_VERSION)
})

test('a database of a later version is accepted', async () => {
  const database = await openDatabase('pglite:')
  onTestFinished(() => database.close())
  await database.migrate()
  await database.query(sql`
    insert into drizzle.__drizzle_migrations (hash, created_at)
    select 'later', max(created_at) + 1 from drizzle.__drizzle_migrations`)
  await database.refuseUnsuitableTables()
  await database.migrate()
})

test('a database that lacks a migration is refused', async () => {
  const database = await openDatabase('pglite:')
  onTestFinished(() => database.close())
  await database.migrate()
  await database.query(sql`
    delete from drizzle.__drizzle_migrations
    where created_at = (select max(created_at) from drizzle.__drizzle_migrations)`)
  await expect(database.refuseUnsuitableTables()).rejects.toThrow(
    'The database lacks migrations of this version of Waggle: run `waggle migrate`',
  )
})

/** Counts the connections that wait for a lock. */
async function countWaiting(database: Database): Promise<number> {
  const rows = await database.query<{ count: number }>(sql`
    select count(*)::int as count from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`)
  return rows[0]?.count ?? 0
}
