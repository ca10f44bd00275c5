// Where tests keep their files: in memory where there is room. They make and delete some ten thousand (every database is
// three hundred), and a file system on a disk looks at those it has lately deleted whenever it makes another.
import { chmodSync, mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { join } from 'node:path'

const IN_MEMORY = '/dev/shm'
// A whole run has up to 300 MB of files at a time.
const ROOM_BYTES = 2 * 1024 ** 3

/** Makes `tmpdir()` of this process and of all that it starts such a folder, unless somebody chose one. */
export function useFastFolder(): { remove(): void } {
  if (process.env.TMPDIR !== undefined || !hasRoom()) return { remove() {} }
  const folder = mkdtempSync(join(IN_MEMORY, 'waggle-tests-'))
  // Postgres may have to run as somebody else; what is made in here is its maker's alone.
  chmodSync(folder, 0o755)
  process.env.TMPDIR = folder
  const remove = () => rmSync(folder, { recursive: true, force: true })
  // After Ctrl-C nobody else is asked to: it would stay in memory.
  process.once('exit', remove)
  return { remove }
}

function hasRoom(): boolean {
  try {
    const { bavail, bsize } = statfsSync(IN_MEMORY)
    return bavail * bsize >= ROOM_BYTES && process.availableMemory() >= ROOM_BYTES
  } catch {
    // There is none: another system than Linux.
    return false
  }
}
