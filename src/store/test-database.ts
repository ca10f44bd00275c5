// Databases for tests of projects: creates one on a server, and moves its clock.
import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { moveClock } from '../base/clock.ts'
import type { Database } from './database.ts'
import { sql } from './drizzle.ts'

export interface OwnDatabase {
  url: string
  drop(): Promise<void>
}

const SCHEMA = 'waggle_clock'
// Functions of Postgres that return the time, and whether their value stays the same during a statement.
// `current_timestamp` is not a function that could be replaced; src/store does not use it.
const FUNCTIONS = {
  now: 'stable',
  transaction_timestamp: 'stable',
  statement_timestamp: 'stable',
  clock_timestamp: 'volatile',
}

/**
 * Creates an empty database on a server. Its sessions find functions of the schema `waggle_clock` before those of
 * Postgres with the same names, so that `moveDatabaseClock` can move their time. Tables must be created after this:
 * a default like `now()` is bound to its function at the creation of its table.
 * @param serverUrl URL of any database on the server, of a role that may create databases
 */
export async function createOwnDatabase(serverUrl: string): Promise<OwnDatabase> {
  const name = `waggle_test_${randomBytes(6).toString('hex')}`
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  await run(serverUrl, [`create database ${name}`])
  await run(url.href, [
    `create schema ${SCHEMA}`,
    ...clockStatements(0),
    // Tables are created in the first schema.
    `alter database ${name} set search_path = public, ${SCHEMA}, pg_catalog`,
  ])
  return { url: url.href, drop: () => run(serverUrl, [`drop database if exists ${name} with (force)`]) }
}

/**
 * Moves the time of the database and of this process forward. No worker becomes missing because of it.
 * @param ms by how much; `totalMs` is the sum of all movements, with this one
 */
export async function moveDatabaseClock(database: Database, ms: number, totalMs: number): Promise<void> {
  await database.use((drizzle) =>
    drizzle.transaction(async (transaction) => {
      // Heartbeats wait for this transaction. One that got the old time before it must not be written after it.
      await transaction.execute(sql`lock table workers in exclusive mode`)
      // PGlite reads the clock of this process, and runs no other statement during a transaction.
      if (!database.hasOneConnection)
        for (const statement of clockStatements(totalMs)) await transaction.execute(sql.raw(statement))
      await transaction.execute(
        sql`update workers set last_beat_at = last_beat_at + ${ms}::float8 * interval '1 ms'`,
      )
      if (database.hasOneConnection) moveClock(ms)
    }),
  )
  if (!database.hasOneConnection) moveClock(ms)
}

/**
 * Postgres inlines these functions into the statements that call them, so that conditions on indexes stay such, and
 * plans prepared statements again when a function is replaced.
 */
function clockStatements(totalMs: number): string[] {
  return Object.entries(FUNCTIONS).map(
    ([name, volatility]) =>
      `create or replace function ${SCHEMA}.${name}() returns timestamptz language sql ${volatility}
       as $$ select pg_catalog.${name}() + interval '${totalMs} milliseconds' $$`,
  )
}

async function run(url: string, statements: string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}
