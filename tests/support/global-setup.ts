// Starts one PostgreSQL server for all test files. Each file creates a database of its own on it.
import type { TestProject } from 'vitest/node'
import { useFastFolder } from './fast-folder.ts'
import { startPostgresServer } from './postgres-server.ts'
import { createTemplate } from './test-database.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** URL of a server on which tests create databases; null without PostgreSQL: then tests use PGlite. */
    postgresUrl: string | null
  }
}

export default async function setup(project: TestProject) {
  const folder = useFastFolder()
  try {
    const stop = await providePostgres(project)
    return async () => {
      await stop()
      folder.remove()
    }
  } catch (error) {
    folder.remove()
    throw error
  }
}

async function providePostgres(project: TestProject): Promise<() => Promise<void>> {
  const configuredUrl = process.env.TEST_DATABASE_URL
  // Without fsync: tests kill processes and Redis, but never the machine. Durability on disk is the guarantee
  // of Postgres.
  const server = configuredUrl
    ? undefined
    : await startPostgresServer({ fsync: 'off', full_page_writes: 'off', autovacuum: 'off' })
  const url = configuredUrl ?? server?.url ?? null
  process.stdout.write(
    url
      ? `Testing on PostgreSQL ${server?.version ?? '(TEST_DATABASE_URL)'}\n`
      : 'Testing on PGlite: tests that need a PostgreSQL server are skipped\n',
  )
  if (url) await createTemplate(url)
  project.provide('postgresUrl', url)
  return async () => server?.stop()
}
