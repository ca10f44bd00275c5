// Chooses the folder for the files of tests: in memory if there is room. Tests create and delete about ten
// thousand files (a database has three hundred). A file system on a disk checks recently deleted files
// whenever it creates another one.
import { chmodSync, mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { join } from 'node:path'

const IN_MEMORY = '/dev/shm'
// A whole run has up to 300 MB of files at the same time.
const ROOM_BYTES = 2 * 1024 ** 3

/** Sets `tmpdir()` of this process and its children to a folder in memory, unless TMPDIR is set. */
export function useFastFolder(): { remove(): void } {
  if (process.env.TMPDIR !== undefined || !hasRoom()) return { remove() {} }
  const folder = mkdtempSync(join(IN_MEMORY, 'waggle-tests-'))
  // Postgres may run as another user, which must be able to enter this folder. mkdtemp makes the folders
  // inside private.
  chmodSync(folder, 0o755)
  process.env.TMPDIR = folder
  const remove = () => rmSync(folder, { recursive: true, force: true })
  // After Ctrl-C vitest does not run the teardown, and the folder would stay in memory.
  process.once('exit', remove)
  return { remove }
}

function hasRoom(): boolean {
  try {
    const { bavail, bsize } = statfsSync(IN_MEMORY)
    return bavail * bsize >= ROOM_BYTES && process.availableMemory() >= ROOM_BYTES
  } catch {
    // Only Linux has /dev/shm.
    return false
  }
}
