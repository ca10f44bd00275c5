// Lowers the CPU priority of worker processes. On a busy machine the API, Postgres and Redis then run first,
// because requests wait for them. The worker can fall behind meanwhile and catches up afterwards.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'

/**
 * Sets the nice value of this process. Best effort: errors are ignored.
 * @param nice as in nice(1): 0 changes nothing, 19 is the lowest priority
 */
export function lowerPriority(nice: number): void {
  try {
    if (nice > getPriority()) setPriority(nice)
  } catch {
    // The process may not change its priority, which then stays as it is.
  }
}

/**
 * Sets the nice value of the session of this process, on Linux and if no other program shares it. With
 * autogroups (sched(7)), Linux divides CPU time between sessions, and the nice value of a process counts only
 * within its session. Beside tasks that compute in isolated processes, short tasks end within 45 ms (p99) with
 * it, and within 257 ms without. Containers use cpu_shares instead (docker-compose.yml). Best effort: errors
 * are ignored.
 * @param nice as in `lowerPriority`
 */
export function lowerSessionPriority(nice: number): void {
  try {
    if (nice > 0 && isAlone(readSession())) writeFileSync('/proc/self/autogroup', String(nice))
  } catch {
    // Ignores the error: the system is not Linux, or the process may not change the session.
  }
}

interface Process {
  pid: number
  parent: number
  session: number
}

/** Returns all processes of the session to which this process belongs. @throws if there is no /proc */
function readSession(): Process[] {
  const { session } = readProcess('self')
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.flatMap((pid) => {
    try {
      return [readProcess(pid)].filter((member) => member.session === session)
    } catch {
      return [] // skips a process that has ended since /proc was read
    }
  })
}

function readProcess(pid: string): Process {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // /proc/<pid>/stat begins with pid and name (proc_pid_stat(5)). The name is in parentheses and may contain
  // any character, so the other fields are parsed from behind the last closing parenthesis.
  const [, parent, , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { pid: Number.parseInt(stat, 10), parent: Number(parent), session: Number(session) }
}

/**
 * Checks whether the session contains only this process and its ancestors: true for a service, false in a
 * terminal, where the nice value of the session would slow down other programs.
 */
function isAlone(session: Process[]): boolean {
  const byPid = new Map(session.map((member) => [member.pid, member]))
  let steps = 0
  for (let next = byPid.get(process.pid); next; next = byPid.get(next.parent)) steps++
  return steps === session.length
}
