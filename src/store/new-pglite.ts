// Creates PGlite databases. Creating an empty one takes 4 to 10 s of processor time, so a copy of it is kept in the
// cache folder of `node_modules`, and later ones are made from this copy in less than a second.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { PGlite, PGliteOptions } from '@electric-sql/pglite'

/**
 * Opens the database in a folder, or creates it if there is none.
 * @param folder the folder; '' for a database in memory
 */
export async function openPgliteClient(folder: string, options: PGliteOptions): Promise<PGlite> {
  // PGlite is imported only when it is used, because the production image does not contain it.
  const { PGlite } = await import('@electric-sql/pglite')
  const own = { ...options, dataDir: folder || 'memory://' }
  if (folder && existsSync(folder) && readdirSync(folder).length > 0) return PGlite.create(own)
  const file = cachedCopy()
  const copy = file && read(file)
  if (copy) {
    try {
      return await PGlite.create({ ...own, loadDataDir: new Blob([copy]) })
    } catch {
      // The copy cannot be used. What it has left in the folder must not remain.
      rmSync(file, { force: true })
      if (folder) rmSync(folder, { recursive: true, force: true })
    }
  }
  const client = await PGlite.create(own)
  if (file) write(file, new Uint8Array(await (await client.dumpDataDir('none')).arrayBuffer()))
  return client
}

/** Returns the name of the copy for the installed version of PGlite; undefined outside of `node_modules`. */
function cachedCopy(): string | undefined {
  const entry = fileURLToPath(import.meta.resolve('@electric-sql/pglite'))
  const at = entry.lastIndexOf('node_modules')
  if (at < 0) return undefined
  const { version } = JSON.parse(readFileSync(join(dirname(entry), '../package.json'), 'utf8'))
  return join(entry.slice(0, at), 'node_modules/.cache/waggle-tasks', `pglite-${version}.tar`)
}

function read(file: string): Buffer<ArrayBuffer> | undefined {
  try {
    return readFileSync(file) as Buffer<ArrayBuffer>
  } catch {
    return undefined
  }
}

/** Errors are ignored: the folder may be read-only. */
function write(file: string, data: Uint8Array): void {
  const unfinished = `${file}.${process.pid}`
  try {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(unfinished, data)
    // Other processes see the whole file or none.
    renameSync(unfinished, file)
  } catch {
    rmSync(unfinished, { force: true })
  }
}
