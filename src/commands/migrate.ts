// The command `migrate`: creates and updates the tables.
import { type Environment, readConfig } from '../config.ts'
import { openDatabase } from '../store/database.ts'

export async function migrate(environment: Environment): Promise<void> {
  const config = readConfig(environment, ['DATABASE_URL'])
  await migrateDatabase(config.DATABASE_URL ?? '')
  process.stdout.write('The tables are up to date\n')
}

export async function migrateDatabase(databaseUrl: string): Promise<void> {
  const database = await openDatabase(databaseUrl)
  await database.migrate()
  await database.close()
}
