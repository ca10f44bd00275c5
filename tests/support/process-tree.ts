// The processes below a process, from /proc.
import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** Returns the ids of all child processes, recursively. */
export function descendantsOf(pid: number): number[] {
  const parents = readdirSync('/proc').flatMap((name) =>
    /^\d+$/.test(name) ? [[Number(name), parentOf(name)] as const] : [],
  )
  const children = parents.flatMap(([child, parent]) => (parent === pid ? [child] : []))
  return [...children, ...children.flatMap(descendantsOf)]
}

/** Returns the ids of the processes that a supervisor has started, in the order of their ids. */
export function processesOf(supervisor: number, role: 'api' | 'worker'): number[] {
  return descendantsOf(supervisor).filter((pid) => commandLineOf(pid).includes(`${role}-process`))
}

/** The command line of a process; empty if it has ended. */
export function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

function parentOf(pid: string): number | null {
  try {
    // The program's name stands in brackets and can contain any character. The state and the parent's id
    // follow it.
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1])
  } catch {
    return null
  }
}

export function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`)
}
