// Provides a data folder of an earlier start. Creating one takes Postgres in WebAssembly seconds of processor
// time; copying it takes very little.
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDatabase } from '../../src/store/database.ts'

/** Creates a migrated data folder, for tests that do not test the first start. */
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
