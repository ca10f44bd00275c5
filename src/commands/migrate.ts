// The command `migrate`: creates and updates the tables.
import { type Config, type Environment, readConfig } from '../config.ts'
import { type Database, openDatabase } from '../store/database.ts'
import { isLockTimeout } from '../store/database-errors.ts'
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

/**
 * Runs the migrations that the database lacks, and makes the partitions of the next days. If a backup holds a lock
 * on the tables, leaves the partitions to the workers: the newest one accepts all tasks until then.
 */
export async function migrateDatabase(database: Database, config: Config): Promise<void> {
  await database.migrate()
  try {
    await extendPartitions(database, retentionOf(config).keptMs)
  } catch (error) {
    if (!isLockTimeout(error)) throw error
    process.stderr.write('A table is in use, so a worker will make the partitions of the next days\n')
  }
}
