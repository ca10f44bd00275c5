// Creates a database for one test file.
import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'

export interface TestDatabase {
  url: string
  /** False for PGlite, which only one process can open. */
  isServer: boolean
  drop(): Promise<void>
}

export async function createTestDatabase(): Promise<TestDatabase> {
  const serverUrl = inject('postgresUrl')
  if (serverUrl === null) return { url: 'pglite:', isServer: false, drop: async () => {} }
  const name = `waggle_test_${randomBytes(6).toString('hex')}`
  await command(serverUrl, `create database ${name}`)
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  return {
    url: url.href,
    isServer: true,
    drop: () => command(serverUrl, `drop database if exists ${name} with (force)`),
  }
}

/** Runs one statement on the server, over a connection of its own. */
async function command(url: string, statement: string) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(statement)
  await client.end()
}
