// Loads Drizzle as CommonJS. As ES modules, each of its two hundred files makes Node parse the package's
// package.json (180 KB): 300 ms and 150 MB of garbage at every start. As CommonJS it takes 60 ms and 25 MB.
import { createRequire } from 'node:module'

// drizzle-kit loads the schema, and with it this file, as CommonJS, where `import.meta.url` is undefined.
// Then packages are resolved from the working directory.
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
  notInArray,
  sql,
} = core
export const {
  bigint,
  bigserial,
  boolean,
  index,
  integer,
  json,
  PgDialect,
  pgTable,
  primaryKey,
  real,
  smallint,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} = postgres

/** Drizzle's driver and migrator for Postgres servers (package `pg`). */
export const nodePostgres: typeof import('drizzle-orm/node-postgres') &
  typeof import('drizzle-orm/node-postgres/migrator') = {
  ...require('drizzle-orm/node-postgres'),
  ...require('drizzle-orm/node-postgres/migrator'),
}

/** Loads Drizzle's driver and migrator for PGlite. Only processes with the embedded database call it. */
export function loadPgliteDriver(): typeof import('drizzle-orm/pglite') &
  typeof import('drizzle-orm/pglite/migrator') {
  return { ...require('drizzle-orm/pglite'), ...require('drizzle-orm/pglite/migrator') }
}

export const { readMigrationFiles }: typeof import('drizzle-orm/migrator') = require('drizzle-orm/migrator')
