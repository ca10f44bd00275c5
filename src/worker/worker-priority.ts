// Lowers the CPU priority of a worker process. On a busy machine, the API, Postgres and Redis run first,
// because requests wait for them. The worker can fall behind meanwhile and catches up afterwards.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'

/**
 * Best effort: errors are ignored.
 * @param nice as in nice(1): 0 changes nothing, 19 is the lowest priority
 */
export function lowerPriority(nice: number): void {
  try {
    if (nice > getPriority()) setPriority(nice)
    // With autogroups (sched(7)), Linux divides CPU time between sessions, and the nice value of a process
    // counts only within its session. Each session has a nice value of its own. Containers use cpu_shares
    // instead (docker-compose.yml).
    if (nice > 0 && isAlone(readSession())) writeFileSync('/proc/self/autogroup', String(nice))
  } catch {
    // Not Linux, or not permitted.
  }
}

interface Process {
  pid: number
  parent: number
  session: number
}

/** All processes of this process's session. @throws if there is no /proc */
function readSession(): Process[] {
  const { session } = readProcess('self')
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.flatMap((pid) => {
    try {
      return [readProcess(pid)].filter((member) => member.session === session)
    } catch {
      return [] // the process has ended meanwhile
    }
  })
}

function readProcess(pid: string): Process {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // proc_pid_stat(5): the name is in parentheses and may contain any character, so parse after the last one.
  const [, parent, , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { pid: Number.parseInt(stat, 10), parent: Number(parent), session: Number(session) }
}

/**
 * Whether the session consists of this process and its ancestors: true for a service, false in a terminal.
 */
function isAlone(session: Process[]): boolean {
  const byPid = new Map(session.map((member) => [member.pid, member]))
  let steps = 0
  for (let next = byPid.get(process.pid); next; next = byPid.get(next.parent)) steps++
  return steps === session.length
}
