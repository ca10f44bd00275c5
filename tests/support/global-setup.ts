// One PostgreSQL for all test files, each of which makes a database of its own in it.
import type { TestProject } from 'vitest/node'
import { useFastFolder } from './fast-folder.ts'
import { startPostgresServer } from './postgres-server.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** URL of a server where databases can be made; null where there is none, and PGlite has to do. */
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
  const given = process.env.TEST_DATABASE_URL
  // Durability on disk is Postgres's own promise; ours is tested by killing our processes and Redis, not the machine.
  const server = given
    ? undefined
    : await startPostgresServer({ fsync: 'off', full_page_writes: 'off', autovacuum: 'off' })
  const url = given ?? server?.url ?? null
  process.stdout.write(
    url
      ? `Testing on PostgreSQL ${server?.version ?? '(TEST_DATABASE_URL)'}\n`
      : 'PostgreSQL is not installed: testing on PGlite\n',
  )
  project.provide('postgresUrl', url)
  return async () => server?.stop()
}
