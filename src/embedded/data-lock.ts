// Locks the data folder for this process: two processes that open PGlite in one folder would damage the data.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { messageOf } from '../base/errors.ts'

// SQLite locks a file in several steps. Two processes that lock it at the same time could otherwise both
// fail, because each meets the first step of the other. One step takes microseconds; a busy machine can
// interrupt it.
const WAIT_MS = 500

/**
 * Locks `dataDir`, which is created if it does not exist. The lock is an exclusive lock of SQLite on a file
 * in the folder, because Node has no function that locks a file. So the operating system grants it to one
 * process at a time, and removes it when that process ends, even by kill -9.
 * @returns a function that removes the lock. Keep it: if it is garbage collected, the lock ends
 * @throws Error if another process has the lock, or if the file system has no locks
 */
export async function lockData(dataDir: string): Promise<() => void> {
  mkdirSync(dataDir, { recursive: true })
  // Imported here, because only `dev` needs it, and Node before version 22.13 does not have it.
  const { DatabaseSync } = await import('node:sqlite')
  let database: InstanceType<typeof DatabaseSync> | null = null
  try {
    // No other code of this process may open this file: POSIX removes the lock when any file descriptor of
    // the file is closed.
    database = new DatabaseSync(join(dataDir, 'lock.sqlite'))
    // Without a journal, a killed process leaves no second file.
    database.exec(`pragma busy_timeout = ${WAIT_MS}; pragma journal_mode = off; begin exclusive`)
  } catch (error) {
    database?.close()
    const folder = resolve(dataDir)
    if (isBusy(error)) throw new Error(`${folder} is in use by ${ownerOf(dataDir)}; stop it, or set DATA_DIR`)
    throw new Error(`${folder} cannot be locked: ${messageOf(error)}; set DATA_DIR to another folder`, {
      cause: error,
    })
  }
  writeFileSync(join(dataDir, 'owner'), String(process.pid))
  return () => database.close()
}

// Result code SQLITE_BUSY: another process has the lock.
const SQLITE_BUSY = 5

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY
}

/**
 * Returns the process that has the lock, for an error message. Its id is unknown for a moment after it has
 * got the lock; then the file may contain the id of an earlier owner.
 */
function ownerOf(dataDir: string): string {
  try {
    const pid = Number(readFileSync(join(dataDir, 'owner'), 'utf8'))
    process.kill(pid, 0)
    return `process ${pid}`
  } catch {
    return 'another process'
  }
}
