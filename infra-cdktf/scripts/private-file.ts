// Passes secrets to a child process in a file. A pipe of Node is a socket, which cannot be opened by a path
// such as /dev/stdin, and every user of the machine can read the arguments of a process.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Writes a file that only this user can read. Removes it after the work, or before a signal ends this
 * process.
 */
export async function withPrivateFile<T>(content: string, work: (path: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'waggle-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  const unregister = beforeSignal(remove)
  try {
    const path = join(folder, 'input.json')
    writeFileSync(path, content, { mode: 0o600, flag: 'wx' })
    return await work(path)
  } finally {
    unregister()
    remove()
  }
}

/** Runs `cleanUp` before a signal ends this process. @returns a function that unregisters it */
export function beforeSignal(cleanUp: (signal: NodeJS.Signals) => void): () => void {
  const end = (signal: NodeJS.Signals) => {
    cleanUp(signal)
    // The repeated signal arrives after all listeners of the first one have run. Each listener runs once, so
    // none is left then, and the default action ends this process.
    process.kill(process.pid, signal)
  }
  for (const signal of SIGNALS) process.once(signal, end)
  return () => {
    for (const signal of SIGNALS) process.off(signal, end)
  }
}
