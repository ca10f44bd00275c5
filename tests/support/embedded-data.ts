// A data folder as an earlier start has left it. To make one, Postgres in WebAssembly takes seconds of a whole core; to
// copy one, next to nothing.
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDatabase } from '../../src/store/database.ts'

/** For tests that are not about a first start. */
export async function createUsedData(): Promise<{ copyTo(dataDir: string): void; remove(): void }> {
  const folder = mkdtempSync(join(tmpdir(), 'waggle-used-data-'))
  const database = await openDatabase(`pglite:${join(folder, 'postgres')}`)
  await database.migrate()
  await database.close()
  return {
    copyTo: (dataDir) => cpSync(folder, dataDir, { recursive: true }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
