// The command `migrate` while another session uses the tables.
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { migrateDatabase } from '../../src/commands/migrate.ts'
import { readConfig } from '../../src/config.ts'
import { openDatabase } from '../../src/store/database.ts'
import { listPartitions } from '../../src/store/partitions/tables.ts'
import { createTestDatabase } from '../support/test-database.ts'

test('succeeds during a backup although a partition is due, and makes it afterwards', async (context) => {
  const testDatabase = await createTestDatabase({ isEmpty: true })
  if (!testDatabase.isServer) return context.skip('needs several connections')
  const database = await openDatabase(testDatabase.url)
  const backup = new pg.Client({ connectionString: testDatabase.url })
  onTestFinished(async () => {
    await backup.end()
    await database.close()
    await testDatabase.drop()
  })
  const config = readConfig({ DATABASE_URL: testDatabase.url })
  await database.migrate()
  await backup.connect()
  await backup.query('begin')
  await backup.query('select from tasks')
  await migrateDatabase(database, config)
  expect(await listPartitions(database)).toHaveLength(1)
  await backup.query('rollback')
  await migrateDatabase(database, config)
  expect((await listPartitions(database)).length).toBeGreaterThan(5)
})
