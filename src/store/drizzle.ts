// Drizzle, loaded as CommonJS. As ES modules its two hundred files make Node parse the package's own package.json
// (180 KB) once each: 300 ms and 150 MB of garbage at every start of every process. This way it is 60 ms and 25 MB.
import { createRequire } from 'node:module'

// drizzle-kit reads the schema as CommonJS itself, and there a module has no URL.
const require = createRequire(import.meta.url ?? `${process.cwd()}/`)

const core: typeof import('drizzle-orm') = require('drizzle-orm')
const postgres: typeof import('drizzle-orm/pg-core') = require('drizzle-orm/pg-core')

export const {
  and,
  arrayContains,
  asc,
  desc,
  eq,
  getTableColumns,
  gt,
  gte,
  inArray,
  isNotNull,
  isNull,
  lt,
  sql,
} = core
export const {
  bigserial,
  doublePrecision,
  index,
  integer,
  json,
  PgDialect,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} = postgres

/** The driver for servers. */
export const nodePostgres: typeof import('drizzle-orm/node-postgres') &
  typeof import('drizzle-orm/node-postgres/migrator') = {
  ...require('drizzle-orm/node-postgres'),
  ...require('drizzle-orm/node-postgres/migrator'),
}

/** The driver for PGlite, which only embedded systems load. */
export function loadPgliteDriver(): typeof import('drizzle-orm/pglite') &
  typeof import('drizzle-orm/pglite/migrator') {
  return { ...require('drizzle-orm/pglite'), ...require('drizzle-orm/pglite/migrator') }
}

export const { readMigrationFiles }: typeof import('drizzle-orm/migrator') = require('drizzle-orm/migrator')
