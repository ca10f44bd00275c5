// The command `migrate`: creates and updates the tables.
import { type Config, type Environment, readConfig } from '../config.ts'
import { type Database, openDatabase } from '../store/database.ts'
import { extendPartitions } from '../store/partitions/extend.ts'
import { retentionOf } from './retention-settings.ts'

export async function migrate(environment: Environment): Promise<void> {
  const config = readConfig(environment, ['DATABASE_URL'])
  await migrateAt(config.DATABASE_URL ?? '', config)
  process.stdout.write('The tables are up to date\n')
}

export async function migrateAt(databaseUrl: string, config: Config): Promise<void> {
  const database = await openDatabase(databaseUrl)
  await migrateDatabase(database, config)
  await database.close()
}

/** Runs the migrations that the database lacks, and makes the partitions of the next days. */
export async function migrateDatabase(database: Database, config: Config): Promise<void> {
  await database.migrate()
  await extendPartitions(database, retentionOf(config).keptMs)
}
