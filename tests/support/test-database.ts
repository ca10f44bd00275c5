// Creates a database for one test file, as a copy of a database that has the tables already.
import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'
import { openDatabase } from '../../src/store/database.ts'
import { extendPartitions } from '../../src/store/partitions/extend.ts'

export interface TestDatabase {
  url: string
  /** False for PGlite, which only one process can open. */
  isServer: boolean
  drop(): Promise<void>
}

const TEMPLATE = 'waggle_template'
const KEPT_MS = 30 * 86_400_000

/** Creates the database that `createTestDatabase` copies: it has the tables, with partitions for 30 days. */
export async function createTemplate(serverUrl: string): Promise<void> {
  await command(serverUrl, `drop database if exists ${TEMPLATE}`)
  await command(serverUrl, `create database ${TEMPLATE}`)
  const database = await openDatabase(urlOf(serverUrl, TEMPLATE))
  await database.migrate()
  await extendPartitions(database, KEPT_MS)
  await database.close()
}

/**
 * @param options.isEmpty true creates a database without tables. A PGlite database is always empty: `migrate`
 *    creates its tables
 */
export async function createTestDatabase(options: { isEmpty?: boolean } = {}): Promise<TestDatabase> {
  const serverUrl = inject('postgresUrl')
  if (serverUrl === null) return { url: 'pglite:', isServer: false, drop: async () => {} }
  const name = `waggle_test_${randomBytes(6).toString('hex')}`
  await command(serverUrl, `create database ${name} template ${options.isEmpty ? 'template1' : TEMPLATE}`)
  return {
    url: urlOf(serverUrl, name),
    isServer: true,
    drop: () => command(serverUrl, `drop database if exists ${name} with (force)`),
  }
}

function urlOf(serverUrl: string, name: string): string {
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  return url.href
}

/** Runs one statement on the server, over a connection of its own. */
async function command(url: string, statement: string) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(statement)
  await client.end()
}
